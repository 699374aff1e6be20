internal import PrefectClient
internal import PrefectConcurrency
internal import Synchronization

/// The flow runs that a pool's worker holds.
package final class RunRegistry: Sendable {
    private struct State {
        var runs: [String: ActiveRun] = [:]
        /// The runs that were removed since the current poll began.
        var removedSincePoll: Set<String> = []
        var changes = 0
    }

    private let state = Mutex(State())
    private let changed = AsyncSignal()

    private let owner: ClaimOwner

    /// A registry without runs.
    ///
    /// - Parameter workerName: The name of the worker that claims the runs.
    package init(workerName: String) { owner = ClaimOwner(workerName: workerName) }

    /// Notes that a poll begins. Its answer may be older than what this worker does meanwhile. A run that is removed
    /// before the answer arrives needs no more work, so the answer does not register it again.
    func beginPoll() { state.withLock { $0.removedSincePoll = [] } }

    /// Registers a run that the current poll returned; `nil` when it is active, or was when the poll began.
    func register(_ flowRun: KnownRun) -> ActiveRun? {
        let active = state.withLock { state -> ActiveRun? in
            guard state.runs[flowRun.id] == nil, !state.removedSincePoll.contains(flowRun.id) else { return nil }
            let active = ActiveRun(flowRun, owner: owner)
            state.runs[flowRun.id] = active
            state.changes += 1
            return active
        }
        if active != nil { changed.signal() }
        return active
    }

    /// Registers a run that an earlier process had.
    func restore(_ entry: LedgerEntry) -> ActiveRun {
        let active = ActiveRun(entry)
        state.withLock { state in
            state.runs[active.id] = active
            state.changes += 1
        }
        changed.signal()
        return active
    }

    func remove(_ run: ActiveRun) {
        state.withLock { state in
            guard state.runs[run.id] === run else { return }
            state.runs[run.id] = nil
            state.changes += 1
            state.removedSincePoll.insert(run.id)
        }
    }

    /// Whether a run is active.
    package func contains(_ id: String) -> Bool { run(id) != nil }

    /// All runs that are active.
    package var all: [ActiveRun] { state.withLock { Array($0.runs.values) } }

    /// How many runs are active.
    package var count: Int { state.withLock { $0.runs.count } }

    /// How often a run was registered or removed.
    var changes: Int { state.withLock { $0.changes } }

    /// The number of runs that this worker has not yet claimed, so that a poll may still return them.
    var unclaimedCount: Int { state.withLock { $0.runs.values.count(where: { $0.stage == .due }) } }

    /// The run with this id; `nil` when it is not active.
    package func run(_ id: String) -> ActiveRun? { state.withLock { $0.runs[id] } }

    /// Waits until a run is registered, or until the task is cancelled.
    func waitForRegistration() async { await changed.wait() }
}
