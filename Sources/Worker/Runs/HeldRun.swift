internal import JSON
internal import PrefectAPI
internal import Synchronization

/// A flow run that this worker holds, with what others ask of it.
public final class HeldRun: Sendable {
    /// The flow run's id.
    public let id: String
    /// The flow run's name.
    public let name: String
    /// The transitions by which this worker brings the run forward.
    let transitions: RunTransitions
    /// When the run was due that a poll has returned.
    let due: Timestamp?
    /// When this worker took hold of it.
    let takenAt = ContinuousClock.now

    private struct State {
        var machine: RunMachine
        var isToBeLeft = false
        var identifier: InfrastructureIdentifier?
        var exit: ExitStatus?
        var deaths = 0
        var work: RunWork?
        var isAtWork = false
        var confirmedAt = ContinuousClock.now
        var doubtfulAt: Timestamp?

        init(machine: RunMachine) { self.machine = machine }

        /// The worker has got past all that processes died of.
        mutating func forgetDeaths() {
            deaths = 0
            work = nil
            isAtWork = false
        }
    }

    private let state: Mutex<State>
    private let stopRequested = Wakeup()
    private let leaveRequested = Wakeup()

    /// A run that a poll has returned.
    init(_ flowRun: FlowRun) {
        id = flowRun.id
        name = flowRun.name
        transitions = RunTransitions()
        due = flowRun.expectedStartTime
        state = Mutex(State(machine: RunMachine()))
    }

    /// A run that an earlier process has left.
    init(_ entry: LedgerEntry) {
        id = entry.flowRunID
        name = entry.flowRunName
        transitions = entry.transitions
        due = entry.due
        var state = State(
            machine: RunMachine(
                recoveredAt: entry.stage, isSettled: entry.isSettled, isGivenUp: entry.isToBeGivenUp))
        state.identifier = entry.identifier
        state.exit = entry.exit
        state.deaths = entry.deaths
        state.work = entry.work
        state.doubtfulAt = entry.doubtfulAt
        self.state = Mutex(state)
    }

    /// Where the run is on its path.
    var machine: RunMachine { state.withLock { $0.machine } }

    /// How far the run is.
    public var stage: RunStage { machine.stage }

    /// The run's infrastructure, once there is any.
    public var identifier: InfrastructureIdentifier? { state.withLock { $0.identifier } }

    /// Why the run is to end, when somebody asked for that.
    public var stopReason: StopReason? { machine.stopReason }

    /// Moves the run on by the result of its current step. Returns whether the ledger has to hold what has changed.
    func handle(_ event: RunMachine.Event) throws -> Bool {
        let (before, isLegal, after) = state.withLock { state in
            let before = state.machine
            let isLegal = state.machine.handle(event)
            let beginsToWatch = state.machine.step == .watch && before.step != .watch
            if beginsToWatch { state.forgetDeaths() }
            return (before, isLegal, state.machine)
        }
        guard isLegal else { throw IllegalEvent(step: before.step, event: event) }
        if hasEnded { stopRequested.signal() }
        return after.stage != before.stage || after.step == .watch
    }

    /// A step had a result that it cannot have: a fault of the program.
    struct IllegalEvent: Error, CustomStringConvertible {
        let step: RunMachine.Step
        let event: RunMachine.Event

        var description: String { "the step '\(step)' cannot have the result '\(event)'" }
    }

    /// Leaves the run to the next process.
    func leave() { state.withLock { $0.machine.leave() } }

    /// Whether a run that is pending by this transition may still be started by this worker. Where claims are settled,
    /// a mere Pending of another worker's is that of one that lost: it goes no further.
    func mayGoOn(in stateName: String, by transition: String?) -> Bool {
        state.withLock { state in
            guard let transition, !transitions.contains(transition) else { return true }
            return state.machine.isSettled && stateName == "Pending"
        }
    }

    /// Notes that a proposal by one of the transitions may be carried out late: an attempt had no answer.
    func doubt() { state.withLock { $0.doubtfulAt = .now } }

    /// Whether a proposal by one of the transitions may be carried out late, over what has happened meanwhile.
    var isDoubtful: Bool { state.withLock { $0.doubtfulAt != nil } }

    /// Notes that the API has just said that the run is this worker's.
    func confirm() { state.withLock { $0.confirmedAt = .now } }

    /// How long ago the API said so.
    var timeSinceConfirmation: Duration { state.withLock { ContinuousClock.now - $0.confirmedAt } }

    /// What the ledger holds of the run.
    func entry(api: String, pool: String, workerType: String) -> LedgerEntry {
        state.withLock { state in
            LedgerEntry(
                flowRunID: id, flowRunName: name, api: api, pool: pool, workerType: workerType,
                stage: state.machine.stage, transitions: transitions, due: due, isSettled: state.machine.isSettled,
                identifier: state.identifier,
                exit: state.exit, deaths: state.deaths, work: state.work, doubtfulAt: state.doubtfulAt)
        }
    }

    /// How many processes have died while they were at work on the run, one that is at work now included.
    var deaths: Int { state.withLock { $0.deaths } }

    /// The work on the run alone that was begun last.
    var work: RunWork? { state.withLock { $0.work } }

    /// Notes that some work on the run alone begins; a death counts from now on.
    func begin(_ work: RunWork) {
        state.withLock { state in
            state.work = work
            guard !state.isAtWork else { return }
            state.isAtWork = true
            state.deaths += 1
        }
    }

    /// Notes that the work has ended; `false` when that was noted before.
    func endWork() -> Bool {
        state.withLock { state in
            guard state.isAtWork else { return false }
            state.isAtWork = false
            state.deaths -= 1
            return true
        }
    }

    /// How the infrastructure ended, once that is known.
    var exit: ExitStatus? { state.withLock { $0.exit } }

    /// Notes how the infrastructure ended.
    func setExit(_ exit: ExitStatus) { state.withLock { $0.exit = exit } }

    /// Notes the run's infrastructure.
    func setIdentifier(_ identifier: InfrastructureIdentifier) { state.withLock { $0.identifier = identifier } }

    /// Asks for the run's end. A cancellation outranks a shutdown, since its end is the run's own.
    func requestStop(_ reason: StopReason) {
        state.withLock { $0.machine.requestStop(reason) }
        stopRequested.signal()
    }

    /// Asks that the run be left as it is, to a later process.
    func requestLeave() {
        state.withLock { $0.isToBeLeft = true }
        leaveRequested.signal()
    }

    /// Whether the run is to be left to a later process.
    var isToBeLeft: Bool { state.withLock { $0.isToBeLeft } }

    /// Waits until the run is to be left, or for the task's cancellation.
    func waitForLeave() async {
        while !Task.isCancelled, !isToBeLeft { await leaveRequested.wait() }
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
