public import PrefectAPI
internal import Synchronization

/// How far a flow run is in this worker's hands.
public enum RunStage: String, Sendable, Hashable {
    /// Returned by a poll, not yet this worker's.
    case due
    /// The API has accepted it as this worker's.
    case claimed
    /// Its job configuration is being made.
    case configured
    /// Its infrastructure is being created.
    case submitted
    /// Its infrastructure exists and is watched.
    case running
    /// Its infrastructure has ended.
    case exited
    /// All that was to be said about it has been said.
    case reported
}

/// A flow run that this worker holds, with what others ask of it.
public final class HeldRun: Sendable {
    /// The run as the poll returned it.
    public let flowRun: FlowRun

    private struct State {
        var stage = RunStage.due
        var stopReason: StopReason?
        var identifier: InfrastructureIdentifier?
        var transitions: Set<String> = []
        var isSettled = false
        var confirmedAt = ContinuousClock.now
    }

    private let state = Mutex(State())
    private let stopRequested = Wakeup()

    init(flowRun: FlowRun) { self.flowRun = flowRun }

    /// How far the run is.
    public var stage: RunStage { state.withLock { $0.stage } }

    /// The run's infrastructure, once there is any.
    public var identifier: InfrastructureIdentifier? { state.withLock { $0.identifier } }

    /// Why the run is to end, when somebody asked for that.
    public var stopReason: StopReason? { state.withLock { $0.stopReason } }

    func advance(to stage: RunStage) {
        state.withLock { $0.stage = stage }
        if stage == .exited { stopRequested.signal() }
    }

    /// A transition by which this worker is about to bring the run forward.
    func newTransition() -> String {
        let id = APIClient.newTransitionID()
        state.withLock { _ = $0.transitions.insert(id) }
        return id
    }

    /// Notes that the claim's mark is this worker's: of several workers whose claims were accepted, this one has the run.
    func settle() { state.withLock { $0.isSettled = true } }

    /// Whether a run that is pending by this transition may still be started by this worker. Where claims are settled,
    /// a mere Pending of another worker's is that of one that lost: it goes no further.
    func mayGoOn(in stateName: String, by transition: String?) -> Bool {
        state.withLock { state in
            guard let transition, !state.transitions.contains(transition) else { return true }
            return state.isSettled && stateName == "Pending"
        }
    }

    /// Notes that the API has just said that the run is this worker's.
    func confirm() { state.withLock { $0.confirmedAt = .now } }

    /// How long ago the API said so.
    var timeSinceConfirmation: Duration { state.withLock { ContinuousClock.now - $0.confirmedAt } }

    func setIdentifier(_ identifier: InfrastructureIdentifier) {
        state.withLock { state in
            state.identifier = identifier
            state.stage = .running
        }
    }

    /// Asks for the run's end. A cancellation outranks a shutdown, since its end is the run's own.
    func requestStop(_ reason: StopReason) {
        state.withLock { state in
            if state.stopReason != .cancelled { state.stopReason = reason }
        }
        stopRequested.signal()
    }

    /// Whether the run's infrastructure has ended.
    var hasEnded: Bool { stage == .exited || stage == .reported }

    /// Waits until the run's infrastructure has ended, for so long at most.
    func waitForEnd(atMost duration: Duration) async {
        await stopRequested.wait(atMost: duration, unless: { self.hasEnded })
    }

    /// Waits until the run's end is asked for; `nil` when it has ended before that, and on cancellation of the task.
    func waitForStopRequest() async -> StopReason? {
        while !Task.isCancelled {
            if hasEnded { return nil }
            if let stopReason { return stopReason }
            await stopRequested.wait()
        }
        return nil
    }
}

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
            let held = HeldRun(flowRun: flowRun)
            state.runs[flowRun.id] = held
            return held
        }
        if held != nil { changed.signal() }
        return held
    }

    func remove(_ run: HeldRun) {
        state.withLock { state in
            guard state.runs[run.flowRun.id] === run else { return }
            state.runs[run.flowRun.id] = nil
            state.leftSincePoll.insert(run.flowRun.id)
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
