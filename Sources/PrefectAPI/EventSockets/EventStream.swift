internal import HTTPTransport
internal import JSON
internal import Synchronization

/// Events on their way to the API over its WebSocket `/events/in`, one text message each.
///
/// ``run()`` opens the socket when it is wanted and keeps it. Events count as delivered when, a moment after the last of
/// them, a ping is answered: the answer to a ping says that the server has read them, and the moment leaves it time to
/// close the socket over one that it cannot read. Whoever is told that events were not delivered still has them all and
/// brings them by another way; an event that arrives twice counts once, by its id.
final class EventStream: Sendable {
    /// How long things may take.
    struct Timing: Sendable {
        /// From connecting until events may be sent.
        var opening = Duration.seconds(10)
        /// How long the server has to object to an event before it is asked to confirm.
        var settling = Duration.milliseconds(250)
        /// From the first event of a delivery until its confirmation.
        var delivery = Duration.seconds(10)
        /// The same when the worker is about to end.
        var lastDelivery = Duration.seconds(3)
        /// How long a socket that failed is left alone.
        var reconnecting = ReconnectPolicy()
    }

    private struct Session {
        let socket: WebSocket
        /// Ends the session.
        let failure: Wakeup
    }

    private struct State {
        var machine: EventStreamState
        var session: Session?
        var isEnding = false
    }

    private let api: APIClient
    private let timing: Timing
    private let state: Mutex<State>
    private let wakeup = Wakeup()
    private let opened = Mutex<(@Sendable () -> Void)?>(nil)

    /// A stream that is not open yet.
    init(api: APIClient, timing: Timing = Timing()) {
        self.api = api
        self.timing = timing
        state = Mutex(State(machine: EventStreamState(policy: timing.reconnecting)))
    }

    /// Whether events may be sent.
    var isOpen: Bool { state.withLock { $0.machine.isOpen } }

    /// Calls something each time the stream is open.
    func onOpen(_ action: @escaping @Sendable () -> Void) { opened.withLock { $0 = action } }

    /// There is an event. Never waits.
    func want() {
        if state.withLock({ $0.machine.want() }) { wakeup.signal() }
    }

    /// Deliveries from now on have little time: the worker is about to end.
    func prepareToEnd() { state.withLock { $0.isEnding = true } }

    /// Opens the socket when it is wanted and may be opened, until the task is cancelled.
    func run() async {
        await api.reachability.whileObserving({ self.retryNow() }) { await keepOpen() }
    }

    /// Ends the pause after a failure that passes: the API is back.
    private func retryNow() {
        if state.withLock({ $0.machine.retryNow() }) { wakeup.signal() }
    }

    private func keepOpen() async {
        while !Task.isCancelled {
            switch state.withLock({ $0.machine.next(now: .now) }) {
            case .rest: await wakeup.wait()
            case .pause(let pause): await wakeup.wait(atMost: pause)
            case .open: await serve()
            }
        }
    }

    /// Sends events and waits until they are confirmed; at once `false` when the stream is not open.
    func deliver(_ events: [Event]) async -> Bool {
        let (session, isEnding) = state.withLock { ($0.session, $0.isEnding) }
        guard let session else {
            want()
            return false
        }
        do {
            let socket = session.socket
            let deadline = isEnding ? timing.lastDelivery : timing.delivery
            try await withDeadline(deadline, for: "the delivery of events") { [settling = timing.settling] in
                for event in events { try await socket.send(.text(event.json.serialized())) }
                try await Task.sleep(for: settling)
                try await socket.ping()
            }
            state.withLock { $0.machine.confirmed() }
            return true
        } catch {
            state.withLock { state in
                guard state.session?.socket === session.socket else { return }
                state.session = nil
                state.machine.failed()
            }
            session.failure.signal()
            return false
        }
    }

    /// One socket, from its opening to its end.
    private func serve() async {
        let prospect: EventSocketError.Prospect
        do {
            let socket = try await api.eventSocket(.toAPI, deadline: timing.opening)
            let session = Session(socket: socket, failure: Wakeup())
            state.withLock { state in
                state.session = session
                state.machine.opened()
            }
            opened.withLock { $0 }?()
            await keep(session)
            prospect = .passing
        } catch {
            prospect = EventSocketError.wrapping(error).prospect
        }
        state.withLock { state in
            state.session = nil
            state.machine.ended(prospect, now: .now, random: .random(in: 0..<1))
        }
    }

    /// Waits for the end of a socket: it is lost, a delivery over it has failed, or the task is cancelled.
    private func keep(_ session: Session) async {
        await withTaskGroup(of: Void.self) { group in
            // The server has nothing to say, but only who listens notices the end.
            group.addTask { while (try? await session.socket.receive()) != nil {} }
            group.addTask { await session.failure.wait() }
            await group.next()
            group.cancelAll()
        }
        if Task.isCancelled { await session.socket.close() }
    }
}
