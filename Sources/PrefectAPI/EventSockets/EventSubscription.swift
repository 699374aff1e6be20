internal import HTTPTransport
internal import JSON
internal import Synchronization

/// Selected events from the API, as they happen: its WebSocket `/events/out`.
///
/// Events are hints. While it is not ``isLive``, and when more come than are taken (the server keeps 256 for each
/// socket), events are lost without a trace; so whoever must not miss what they are about has to look by REST too, each
/// time it is told that the subscription has become live, and now and then. The event of a new run may come before the
/// answer to the request that created it.
public final class EventSubscription: Sendable {
    /// How things stand.
    public enum State: Sendable, Hashable {
        /// It does not run.
        case idle
        /// A socket is being opened.
        case connecting
        /// Events come as they happen.
        case live
        /// It could not be had, or was lost, for this reason, and is tried again within seconds.
        case waiting(reason: String)
        /// The API does not take the credentials; it is tried again every five minutes.
        case refused(reason: String)
        /// The API has no such socket, or lets nobody reach it; it is tried again every five minutes.
        case unavailable(reason: String)
    }

    /// How long things may take.
    struct Timing: Sendable {
        /// From connecting until events may come.
        var opening = Duration.seconds(10)
        /// From the server's having read what is wanted until nothing is missed any more.
        var settling = Duration.seconds(1)
        /// How long a socket that failed is left alone.
        var reconnecting = ReconnectPolicy()
    }

    private let api: APIClient
    private let selection: EventSelection
    private let timing: Timing
    private let current = Mutex(State.idle)
    private let onConnect: @Sendable () async -> Void
    private let onState: @Sendable (State) -> Void
    private let wakeup = Wakeup()

    /// A subscription; ``run(_:)`` does the work.
    ///
    /// - Parameters:
    ///   - selection: What is wanted.
    ///   - onState: Is told how things stand, each time that changes.
    ///   - onConnect: Is called each time the subscription has become live, the first time too, for a look at what was
    ///     missed. Runs beside the events; its task is cancelled when the socket is lost.
    public convenience init(
        api: APIClient, selection: EventSelection, onState: @escaping @Sendable (State) -> Void = { _ in },
        onConnect: @escaping @Sendable () async -> Void = {}
    ) {
        self.init(api: api, selection: selection, timing: Timing(), onState: onState, onConnect: onConnect)
    }

    init(
        api: APIClient, selection: EventSelection, timing: Timing, onState: @escaping @Sendable (State) -> Void,
        onConnect: @escaping @Sendable () async -> Void
    ) {
        self.api = api
        self.selection = selection
        self.timing = timing
        self.onState = onState
        self.onConnect = onConnect
    }

    /// How things stand.
    public var state: State { current.withLock { $0 } }

    /// Whether events come as they happen.
    public var isLive: Bool { state == .live }

    /// Lets a subscription that waits try again at once: the credentials were changed, say.
    public func retryNow() {
        if !isLive { wakeup.signal() }
    }

    /// Hands out events, one after the other, until the task is cancelled. Lost sockets are opened again, after a pause
    /// of a second that grows to 15.
    ///
    /// - Parameter onEvent: Is given the events in their order; while it does not return, no other comes.
    public func run(_ onEvent: @Sendable (ReceivedEvent) async -> Void) async {
        await api.reachability.whileObserving({ self.noteReturn() }) { await keep(onEvent) }
    }

    /// Ends the pause after a failure that passes: the API is back.
    private func noteReturn() {
        if case .waiting = state { wakeup.signal() }
    }

    private func keep(_ onEvent: @Sendable (ReceivedEvent) async -> Void) async {
        var policy = timing.reconnecting
        while !Task.isCancelled {
            set(.connecting)
            let (error, life) = await serve(onEvent)
            if Task.isCancelled { break }
            if let life { policy.lost(after: life) }
            set(State(failedWith: error))
            await wakeup.wait(
                atMost: policy.pause(isPassing: error.prospect.isPassing, random: .random(in: 0..<1)))
        }
        set(.idle)
    }

    private func set(_ state: State) {
        let hasChanged = current.withLock { current in
            defer { current = state }
            return current != state
        }
        if hasChanged { onState(state) }
    }

    /// One socket, from its opening to its end: why it ended, and how long it was live, if it was.
    private func serve(
        _ onEvent: @Sendable (ReceivedEvent) async -> Void
    ) async -> (error: EventSocketError, life: Duration?) {
        var start: ContinuousClock.Instant?
        do {
            let message = selection.message(now: .now)
            let socket = try await api.eventSocket(.fromAPI(filter: message), deadline: timing.opening)
            start = .now
            set(.live)
            throw await receive(from: socket, onEvent)
        } catch {
            return (EventSocketError.wrapping(error), start.map { .now - $0 })
        }
    }

    private func receive(
        from socket: WebSocket, _ onEvent: @Sendable (ReceivedEvent) async -> Void
    ) async -> WebSocketError {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [settling = timing.settling, onConnect] in
                // The server does not say when it has begun to listen for us.
                try? await Task.sleep(for: settling)
                if !Task.isCancelled { await onConnect() }
            }
            defer { group.cancelAll() }
            do throws(WebSocketError) {
                while true {
                    if let event = read(try await socket.receive()), selection.includes(event) { await onEvent(event) }
                }
            } catch {
                if Task.isCancelled { await socket.close() }
                return error
            }
        }
    }

    /// The event in a message; what is none is passed over.
    private func read(_ message: WebSocket.Message) -> ReceivedEvent? {
        guard case .text(let text) = message, let json = try? JSONValue(parsing: Array(text.utf8)),
            json["type"] == "event", let event = json["event"], let fields = try? JSONFields(event)
        else { return nil }
        return try? ReceivedEvent(json: fields)
    }
}

extension EventSubscription.State {
    fileprivate init(failedWith error: EventSocketError) {
        let reason = error.description
        self =
            switch error.prospect {
            case .passing, .over: .waiting(reason: reason)
            case .unauthorized: .refused(reason: reason)
            case .noEndpoint: .unavailable(reason: reason)
            }
    }
}
