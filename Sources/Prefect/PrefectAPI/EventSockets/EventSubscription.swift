internal import Concurrency
internal import JSON
internal import Synchronization
internal import WebSocket

/// Receives selected events from the API as they happen, over its WebSocket `/events/out`.
///
/// Events are hints: some are lost without a trace. Events are lost while the subscription is not ``isLive``. They are
/// also lost when they arrive faster than the caller handles them, because the server keeps 256 for each socket. A
/// caller that must miss nothing also reads the state over REST: each time the subscription becomes live, and at
/// intervals. The event of a new run may arrive before the answer to the request that created the run.
public final class EventSubscription: Sendable {
    /// The state of a subscription.
    public enum State: Sendable, Hashable {
        /// The subscription does not run.
        case idle
        /// A socket is being opened.
        case connecting
        /// Events arrive as they happen.
        case live
        /// The socket could not be opened, or was lost, for this reason. The next attempt follows within seconds.
        case waiting(reason: String)
        /// The API does not accept the credentials. The next attempt follows after about five minutes.
        case refused(reason: String)
        /// The API has no such socket, or refuses access to it. The next attempt follows after about five minutes.
        case unavailable(reason: String)
    }

    /// Time limits and pauses.
    struct Timing: Sendable {
        /// The limit from connecting until events may arrive.
        var opening = Duration.seconds(10)
        /// The time from the server's reading of the filter until no further events are missed.
        var settling = Duration.seconds(1)
        /// The pauses before a failed socket is opened again.
        var reconnecting = ReconnectPolicy()
    }

    private let api: APIClient
    private let selection: EventSelection
    private let timing: Timing
    private let current = Mutex(State.idle)
    private let onConnect: @Sendable () async -> Void
    private let onState: @Sendable (State) -> Void
    private let wakeup = AsyncSignal()

    /// Creates a subscription; ``run(_:)`` does the work.
    ///
    /// - Parameters:
    ///   - selection: The events to receive.
    ///   - onState: Called with the new state, each time the state changes.
    ///   - onConnect: Called each time the subscription has become live, the first time included, to read the changes
    ///     whose events were missed. It runs beside the handling of events. Its task is cancelled when the socket is
    ///     lost.
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

    /// The current state.
    public var state: State { current.withLock { $0 } }

    /// Whether events arrive as they happen.
    public var isLive: Bool { state == .live }

    /// Ends the pause of a waiting subscription, for example after the credentials were changed.
    public func retryNow() {
        if !isLive { wakeup.signal() }
    }

    /// Passes events to `onEvent`, one after the other, until the task is cancelled. A lost socket is opened again
    /// after a pause of one second, which grows to 15 seconds.
    ///
    /// - Parameter onEvent: Called with the events in order. The next event waits until the call returns.
    public func run(_ onEvent: @Sendable (ReceivedEvent) async -> Void) async {
        await api.reachability.whileObserving({ self.noteReturn() }) { await keep(onEvent) }
    }

    /// Ends the pause after a temporary failure: the API is available again.
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

    /// Serves one socket from its opening to its end. Returns the reason for the end, and how long the socket was live,
    /// if it was.
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
                // The server does not report when it has begun to listen for this subscription.
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

    /// The event in a message; `nil` for any other message.
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
