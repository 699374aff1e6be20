internal import PrefectAPI
internal import Synchronization

/// The flow runs that a pool's worker holds.
public final class RunRegistry: Sendable {
    private struct State {
        var runs: [String: HeldRun] = [:]
        /// The runs that were let go since the poll under way began.
        var leftSincePoll: Set<String> = []
    }

    private let state = Mutex(State())
    private let changed = Wakeup()

    /// A registry without runs.
    public init() {}

    /// Notes that a poll begins. What it returns may be older than what this worker does meanwhile: a run that is let go
    /// before the answer is there has been dealt with, and is not taken again because of it.
    func beginPoll() { state.withLock { $0.leftSincePoll = [] } }

    /// Registers a run of the poll under way; `nil` when it is held, or was held when the poll began.
    func register(_ flowRun: FlowRun) -> HeldRun? {
        let held = state.withLock { state -> HeldRun? in
            guard state.runs[flowRun.id] == nil, !state.leftSincePoll.contains(flowRun.id) else { return nil }
            let held = HeldRun(flowRun)
            state.runs[flowRun.id] = held
            return held
        }
        if held != nil { changed.signal() }
        return held
    }

    /// Registers a run that an earlier process has left.
    func restore(_ entry: LedgerEntry) -> HeldRun {
        let held = HeldRun(entry)
        state.withLock { $0.runs[held.id] = held }
        changed.signal()
        return held
    }

    func remove(_ run: HeldRun) {
        state.withLock { state in
            guard state.runs[run.id] === run else { return }
            state.runs[run.id] = nil
            state.leftSincePoll.insert(run.id)
        }
    }

    /// Whether a run is held.
    public func contains(_ id: String) -> Bool { run(id) != nil }

    /// All runs that are held.
    public var all: [HeldRun] { state.withLock { Array($0.runs.values) } }

    /// How many runs are held.
    public var count: Int { state.withLock { $0.runs.count } }

    /// How many of the runs are not yet this worker's, so that a poll may still return them.
    var unclaimedCount: Int { state.withLock { $0.runs.values.count(where: { $0.stage == .due }) } }

    /// The run of an id, when it is held.
    public func run(_ id: String) -> HeldRun? { state.withLock { $0.runs[id] } }

    /// Waits until a run has been registered, or for the task's cancellation.
    func waitForRegistration() async { await changed.wait() }
}
