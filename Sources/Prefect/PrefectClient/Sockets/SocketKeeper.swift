internal import PrefectConcurrency
internal import Synchronization

/// Keeps a WebSocket open: opens it when it is wanted, and again after a pause when it failed to open or was lost.
///
/// The end of an outage of the API ends the pause after a temporary failure.
final class SocketKeeper<Outage: SocketOutage>: Sendable {
    private struct Progress {
        var machine: ReconnectMachine
        var state: SocketState<Outage>
    }

    private let progress: Mutex<Progress>
    private let wakeup = AsyncSignal()
    private let onState: @Sendable (SocketState<Outage>) async -> Void

    /// Creates a keeper; ``run(_:serve:conclude:)`` does the work.
    ///
    /// - Parameters:
    ///   - state: The state before the first attempt.
    ///   - onState: Called with the new state, each time the state changes.
    init(
        policy: ReconnectPolicy, initially state: SocketState<Outage> = .idle,
        onState: @escaping @Sendable (SocketState<Outage>) async -> Void = { _ in }
    ) {
        progress = Mutex(Progress(machine: ReconnectMachine(policy: policy), state: state))
        self.onState = onState
    }

    /// The current state.
    var state: SocketState<Outage> { progress.withLock { $0.state } }

    /// Whether the socket is open and works, as far as is known.
    var isOpen: Bool { progress.withLock { $0.machine.isOpen } }

    /// Requests the socket. Never waits.
    func want() { proceed { $0.want() } }

    /// Ends a pause for any reason, for example after the credentials were changed.
    func retryNow() { proceed { $0.retryOnRequest() } }

    /// Notes that the socket is open.
    func opened() async {
        progress.withLock { $0.machine.opened() }
        await enter(.live)
    }

    /// Notes that the open socket does not work any more. The server's end of it follows later.
    func failed() { progress.withLock { $0.machine.failed() } }

    /// Notes that the socket has worked, so that the pauses begin anew.
    func confirmed() { progress.withLock { $0.machine.confirmed() } }

    /// Notes the loss of a socket that was open for this long.
    func lost(after life: Duration) { progress.withLock { $0.machine.lost(after: life) } }

    /// Keeps the socket open until the task is cancelled.
    ///
    /// - Parameters:
    ///   - serve: Opens a socket, serves it until its end, and returns the reason for the end. The reason has no meaning
    ///     when the task is cancelled.
    ///   - conclude: Called with that reason once the state is known, before the pause.
    func run(
        _ reachability: APIReachability, serve: () async -> Outage, conclude: (Outage) async -> Void = { _ in }
    ) async {
        await reachability.whileObserving({ self.proceed { $0.retryNow() } }) {
            while !Task.isCancelled {
                switch progress.withLock({ $0.machine.next(now: .now) }) {
                case .rest: await wakeup.wait()
                case .pause(let pause): await wakeup.wait(atMost: pause)
                case .open: await attempt(serve, conclude)
                }
            }
        }
        await enter(.idle)
    }

    private func attempt(_ serve: () async -> Outage, _ conclude: (Outage) async -> Void) async {
        switch state {
        // An attempt every few minutes does not change the state.
        case .refused, .unavailable: break
        case .idle, .connecting, .live, .waiting: await enter(.connecting)
        }
        let outage = await serve()
        progress.withLock { $0.machine.ended(outage.prospect, now: .now, random: .random(in: 0..<1)) }
        if !Task.isCancelled { await enter(SocketState(after: outage)) }
        await conclude(outage)
    }

    /// Changes the machine, and requests the next step if the change allows one.
    private func proceed(_ change: (inout ReconnectMachine) -> Bool) {
        if progress.withLock({ change(&$0.machine) }) { wakeup.signal() }
    }

    private func enter(_ state: SocketState<Outage>) async {
        let hasChanged = progress.withLock { progress in
            defer { progress.state = state }
            return progress.state != state
        }
        if hasChanged { await onState(state) }
    }
}
