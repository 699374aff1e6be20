internal import PrefectConcurrency
internal import PrefectJSON
internal import Synchronization

/// Runs the handlers of cleanups, and sends the operations on cleanups over the current connection.
final class CleanupExecutor: Sendable {
    typealias Handler = @Sendable (CleanupMessage) async throws -> CleanupVerdict
    typealias Route = @Sendable (CleanupOperation) async -> Void

    private struct State {
        var desk: CleanupLeases
        var actions: [CleanupLeases.Action] = []
        var route: Route?
        var cancellations: [Secret: AsyncSignal] = [:]
    }

    private let state: Mutex<State>
    private let wakeup = AsyncSignal()
    private let handler: Handler

    init(desk: CleanupLeases, handler: @escaping Handler) {
        state = Mutex(State(desk: desk))
        self.handler = handler
    }

    /// Notes a healthy connection, over which `route` sends operations. With a limit of 0, the connection carries no
    /// cleanups.
    func connect(limit: Int, route: @escaping Route) {
        state.withLock { $0.route = route }
        handle(.connected(limit: limit))
    }

    func disconnect() {
        state.withLock { $0.route = nil }
        handle(.disconnected)
    }

    func handle(_ event: CleanupLeases.Event) {
        state.withLock { $0.actions += $0.desk.handle(event) }
        wakeup.signal()
    }

    /// Works until its task is cancelled. Then the handlers are cancelled too, and the server delivers their messages
    /// again.
    func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let (actions, deadline) = state.withLock { state in
                    defer { state.actions = [] }
                    return (state.actions, state.desk.deadline)
                }
                for action in actions { perform(action, in: &group) }
                guard actions.isEmpty else { continue }
                guard let deadline else {
                    await wakeup.wait()
                    continue
                }
                let rest = deadline.seconds(since: .now)
                if rest > 0 { await wakeup.wait(atMost: .pause(seconds: rest)) }
                if !Task.isCancelled, deadline <= .now { handle(.tick) }
            }
            group.cancelAll()
        }
    }

    private func perform(_ action: CleanupLeases.Action, in group: inout DiscardingTaskGroup) {
        switch action {
        case .start(let message):
            let cancellation = AsyncSignal()
            state.withLock { $0.cancellations[message.reservation] = cancellation }
            group.addTask { await self.clean(message, until: cancellation) }
        case .cancel(let reservation):
            state.withLock { $0.cancellations[reservation] }?.signal()
        case .send(let operation):
            guard let route = state.withLock({ $0.route }) else { return }
            group.addTask { await route(operation) }
        }
    }

    private func clean(_ message: CleanupMessage, until cancellation: AsyncSignal) async {
        // A cancelled handler may need some time to return.
        let verdict: CleanupVerdict? = await raceOf(
            { [handler] in
                do {
                    return try await handler(message)
                } catch {
                    return .release(reason: CleanupVerdict.Reason.handlerFailed)
                }
            },
            {
                await cancellation.wait()
                return nil
            })
        let reservation = message.reservation
        state.withLock { $0.cancellations[reservation] = nil }
        guard !Task.isCancelled else { return }
        handle(.handled(reservation: reservation, verdict ?? .release(reason: CleanupVerdict.Reason.handlerFailed)))
    }
}
