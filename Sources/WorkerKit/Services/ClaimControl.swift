internal import PrefectConcurrency

/// Whether the worker claims flow runs, as an operator requests it while the worker runs. The state does not survive
/// the process.
package final class ClaimControl: Sendable {
    /// The states of a worker that does not shut down.
    package enum State: Sendable, Hashable {
        /// The worker polls and claims.
        case active
        /// The worker claims nothing until an operator resumes it.
        case paused
        /// The worker claims nothing more, watches its runs to their end, and ends. After `limit`, it stops them.
        case draining(limit: Duration?)
    }

    private let current = ObservedValue(State.active)

    /// A worker that claims.
    package init() {}

    /// The current state.
    package var state: State { current.value }

    /// Whether claims are paused.
    package var isPaused: Bool { state == .paused }

    /// Whether the worker ends after its last run.
    package var isDraining: Bool { drainLimit != nil }

    /// The time limit of a drain, within an optional of its own; `nil` without a drain.
    private var drainLimit: Duration?? {
        if case .draining(let limit) = state { .some(limit) } else { nil }
    }

    /// Enters a state. A drain cannot be undone: the result is `false` then, and nothing changes.
    package func enter(_ new: State) -> Bool {
        current.update { state in
            if case .draining = state { return false }
            state = new
            return true
        }
    }

    /// Waits until claims are not paused, or until the task is cancelled.
    func waitWhilePaused() async { await current.wait { $0 != .paused } }

    /// Waits for a drain. Returns `nil` when the task is cancelled, else the time limit of the drain.
    func waitForDrain() async -> Duration?? {
        await current.wait { if case .draining = $0 { true } else { false } }
        return drainLimit
    }
}
