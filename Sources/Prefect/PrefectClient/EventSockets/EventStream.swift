internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectWebSocket
internal import Synchronization

/// Sends events to the API over its WebSocket `/events/in`, one text message for each event.
///
/// ``run()`` opens the socket when an event needs it, and keeps it open. A delivery is confirmed when the server
/// answers a ping that follows the last event after a short pause. The answer shows that the server has read the
/// events. The pause gives the server time to close the socket over an event that it cannot read. When a delivery
/// fails, the caller still holds the events and sends them by another way. An event that arrives twice counts once, by
/// its id.
final class EventStream: Sendable {
    /// Time limits and pauses.
    struct Timing: Sendable {
        /// The limit from connecting until events may be sent.
        var opening = Duration.seconds(10)
        /// The pause in which the server can reject an event, before a ping requests the confirmation.
        var settling = Duration.milliseconds(250)
        /// The limit from the first event of a delivery until its confirmation.
        var delivery = Duration.seconds(10)
        /// The same limit when the worker is about to end.
        var lastDelivery = Duration.seconds(3)
        /// The pauses before a failed socket is opened again.
        var reconnecting = ReconnectPolicy()
    }

    private struct Session {
        let socket: WebSocket
        /// Ends the session when a delivery fails.
        let failure: AsyncSignal
    }

    private struct State {
        var session: Session?
        var isEnding = false
    }

    private let api: APIClient
    private let timing: Timing
    private let state = Mutex(State())
    private let keeper: SocketKeeper<EventSocketError>
    private let opened = Mutex<(@Sendable () -> Void)?>(nil)

    /// A stream that is not open yet.
    init(api: APIClient, timing: Timing = Timing()) {
        self.api = api
        self.timing = timing
        keeper = SocketKeeper(policy: timing.reconnecting)
    }

    /// Whether events may be sent.
    var isOpen: Bool { keeper.isOpen }

    /// Sets the action that runs each time the stream has opened.
    func onOpen(_ action: @escaping @Sendable () -> Void) { opened.withLock { $0 = action } }

    /// Requests the socket for an event. Never waits.
    func want() { keeper.want() }

    /// Shortens the limit of later deliveries, because the worker is about to end.
    func prepareToEnd() { state.withLock { $0.isEnding = true } }

    /// Opens the socket when an event needs it and no pause is due, until the task is cancelled.
    func run() async { await keeper.run(api.reachability) { await serve() } }

    /// Sends events and waits for their confirmation. Returns whether the server confirmed them; returns `false` at
    /// once when the stream is not open.
    func deliver(_ events: [EventCreate]) async -> Bool {
        let (session, isEnding) = state.withLock { ($0.session, $0.isEnding) }
        guard let session else {
            want()
            return false
        }
        do {
            let socket = session.socket
            let deadline = isEnding ? timing.lastDelivery : timing.delivery
            try await withDeadline(deadline, for: "the delivery of events") { [settling = timing.settling] in
                for event in events { try await socket.send(.text(event.jsonValue.serialized())) }
                try await Task.sleep(for: settling)
                try await socket.ping()
            }
            keeper.confirmed()
            return true
        } catch {
            state.withLock { state in
                guard state.session?.socket === session.socket else { return }
                state.session = nil
                // The lock ensures that this concerns the same socket.
                keeper.failed()
            }
            session.failure.signal()
            return false
        }
    }

    /// Opens a socket and serves it until its end. Returns the reason for the end.
    private func serve() async -> EventSocketError {
        defer { state.withLock { $0.session = nil } }
        do {
            let socket = try await api.eventSocket(.toAPI, deadline: timing.opening)
            let session = Session(socket: socket, failure: AsyncSignal())
            await keeper.opened()
            state.withLock { $0.session = session }
            opened.withLock { $0 }?()
            await keep(session)
            return EventSocketError(.passing, "\(socket.url): the connection was lost")
        } catch {
            return EventSocketError.wrapping(error)
        }
    }

    /// Waits for the end of a socket: the connection is lost, a delivery over it has failed, or the task is cancelled.
    private func keep(_ session: Session) async {
        await raceOf(
            // The server sends nothing here, but only a pending receive detects the end of the connection.
            { while (try? await session.socket.receive()) != nil {} },
            { await session.failure.wait() })
        if Task.isCancelled { await session.socket.close() }
    }
}
