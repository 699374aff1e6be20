package import BackendKit
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

/// A flow run that this worker holds, with the requests that other parts of the worker make for it.
package final class ActiveRun: Sendable {
    /// The flow run's id.
    package let id: String
    /// The flow run's name.
    package let name: String
    /// The transitions by which this worker advances the run.
    let transitions: ClaimIDs
    /// The due time of the run that a poll has returned.
    let due: Timestamp?
    /// When this process began to hold the run.
    let takenAt = ContinuousClock.now

    private struct State: Sendable {
        var machine: RunMachine
        var stageSince = Timestamp.now
        var claimedAt: ContinuousClock.Instant?
        var isToBeLeft = false
        var identifier: InfrastructureIdentifier?
        var exit: ExitStatus?
        var deaths = 0
        var work: RunWork?
        var isAtWork = false
        var confirmedAt = ContinuousClock.now
        var uncertainSince: Timestamp?
        /// The result of the watch of the infrastructure; nil until there is one.
        var watch: Result<Void, any Error>?

        /// Whether nothing more has to be done for the watch.
        var isWatchOver: Bool { isToBeLeft || hasEnded || watch != nil }

        var hasEnded: Bool { machine.stage == .exited || machine.stage == .reported }

        init(machine: RunMachine) { self.machine = machine }

        /// Resets the count of deaths, because the worker has completed the work during which processes died.
        mutating func forgetDeaths() {
            deaths = 0
            work = nil
            isAtWork = false
        }
    }

    private let state: ObservedValue<State>

    /// A run that a poll has returned to this worker.
    init(_ flowRun: KnownRun, owner: ClaimOwner) {
        id = flowRun.id
        name = flowRun.name
        transitions = ClaimIDs(by: owner)
        due = flowRun.expectedStartTime
        state = ObservedValue(State(machine: RunMachine()))
    }

    /// A run that an earlier process had.
    init(_ entry: LedgerEntry) {
        id = entry.flowRunID
        name = entry.flowRunName
        transitions = entry.transitions
        due = entry.due
        var state = State(
            machine: RunMachine(
                recoveredAt: entry.stage, isSettled: entry.isSettled, isGivenUp: entry.isToBeGivenUp))
        state.stageSince = entry.written
        state.identifier = entry.identifier
        state.exit = entry.exit
        state.deaths = entry.deaths
        state.work = entry.work
        state.uncertainSince = entry.uncertainSince
        self.state = ObservedValue(state)
    }

    /// The run's position on its path.
    var machine: RunMachine { @inline(never) get { state.value.machine } }

    /// The run's stage.
    package var stage: RunStage { machine.stage }

    /// The run's stage and the time at which it began, which may be in an earlier process.
    var stageBegin: (stage: RunStage, since: Timestamp) {
        let state = state.value
        return (state.machine.stage, state.stageSince)
    }

    /// When this process claimed the run; `nil` when an earlier process did, or before the claim.
    var claimedAt: ContinuousClock.Instant? { state.value.claimedAt }

    /// The run's infrastructure, once it exists.
    package var identifier: InfrastructureIdentifier? { @inline(never) get { state.value.identifier } }

    /// Why a stop of the run was requested; `nil` without a request.
    package var stopReason: StopReason? { machine.stopReason }

    /// Applies the result of the run's current step. Returns whether the ledger must record the change.
    func handle(_ event: RunMachine.Event) throws -> Bool {
        let (before, isLegal, after) = state.update { state in
            let before = state.machine
            let isLegal = state.machine.handle(event)
            if state.machine.stage != before.stage {
                state.stageSince = .now
                if state.machine.stage == .claimed { state.claimedAt = .now }
            }
            let beginsToWatch = state.machine.step == .watch && before.step != .watch
            if beginsToWatch { state.forgetDeaths() }
            return (before, isLegal, state.machine)
        }
        guard isLegal else { throw IllegalEvent(step: before.step, event: event) }
        return after.stage != before.stage || after.step == .watch
    }

    /// The error for a result that a step cannot have: a fault of the program.
    struct IllegalEvent: Error, CustomStringConvertible {
        let step: RunMachine.Step
        let event: RunMachine.Event

        var description: String { "the step '\(step)' cannot have the result '\(event)'" }
    }

    /// Passes the run to the next process.
    func leave() { state.update { $0.machine.leave() } }

    /// Whether this worker may still start a run that is pending by this transition. If this worker has settled its
    /// claim, another worker's state named Pending belongs to a claim that lost.
    func mayContinue(in stateName: String, by transition: String?) -> Bool {
        state.update { state in
            guard let transition, !transitions.contains(transition) else { return true }
            return state.machine.isSettled && stateName == "Pending"
        }
    }

    /// Notes that the API may apply a proposal by one of the transitions late, because an attempt had no answer.
    func noteUncertainty() { state.update { $0.uncertainSince = .now } }

    /// Whether the API may apply a proposal by one of the transitions late, over a newer state.
    var isUncertain: Bool { state.value.uncertainSince != nil }

    /// Notes that the API has just confirmed that the run is this worker's.
    func confirm() { state.update { $0.confirmedAt = .now } }

    /// The time since the API last confirmed that the run is this worker's.
    var timeSinceConfirmation: Duration { ContinuousClock.now - state.value.confirmedAt }

    /// The run's current entry for the ledger.
    func entry(api: String, pool: String, workerType: String) -> LedgerEntry {
        state.update { state in
            LedgerEntry(
                flowRunID: id, flowRunName: name, api: api, pool: pool, workerType: workerType,
                stage: state.machine.stage, transitions: transitions, due: due, isSettled: state.machine.isSettled,
                identifier: state.identifier,
                exit: state.exit, deaths: state.deaths, work: state.work, uncertainSince: state.uncertainSince)
        }
    }

    /// The number of processes that died during work on the run alone. Work in progress counts as one.
    var deaths: Int { state.value.deaths }

    /// The work on the run alone that the worker began last.
    var work: RunWork? { state.value.work }

    /// Notes that some work on the run alone begins. From now on, a death of the process counts.
    func begin(_ work: RunWork) {
        state.update { state in
            state.work = work
            guard !state.isAtWork else { return }
            state.isAtWork = true
            state.deaths += 1
        }
    }

    /// Notes that the work has ended; `false` when that was noted before.
    func endWork() -> Bool {
        state.update { state in
            guard state.isAtWork else { return false }
            state.isAtWork = false
            state.deaths -= 1
            return true
        }
    }

    /// How the infrastructure ended, once that is known.
    var exit: ExitStatus? { state.value.exit }

    /// Notes how the infrastructure ended.
    func setExit(_ exit: ExitStatus) { state.update { $0.exit = exit } }

    /// Notes the run's infrastructure.
    func setIdentifier(_ identifier: InfrastructureIdentifier) { state.update { $0.identifier = identifier } }

    /// Requests that the run stop. A cancellation takes precedence over a shutdown, because it also ends the run
    /// itself.
    func requestStop(_ reason: StopReason) { state.update { $0.machine.requestStop(reason) } }

    /// Requests that this process pass the run to a later process, as it is.
    func requestLeave() { state.update { $0.isToBeLeft = true } }

    /// Whether this process is to pass the run to a later process.
    var isToBeLeft: Bool { @inline(never) get { state.value.isToBeLeft } }

    /// Waits until this process is to pass the run to a later one. The wait also ends when the watch of the run's
    /// infrastructure has ended, or when the task is cancelled.
    func waitForLeave() async { await state.wait { $0.isWatchOver } }

    /// Notes the result of the watch of the run's infrastructure.
    func endWatch(_ result: Result<Void, any Error>) { state.update { $0.watch = result } }

    /// Waits until the end of the run's infrastructure is noted, and throws the error of a failed watch. Throws
    /// `CancellationError` when this process is to pass the run to a later one, or when the task is cancelled.
    func waitForEndOfWatch() async throws {
        await waitForLeave()
        if !hasEnded, state.value.watch == nil { throw CancellationError() }
        // The ledger may not have recorded the end yet.
        await state.wait { $0.watch != nil }
        guard let watch = state.value.watch else { throw CancellationError() }
        try watch.get()
    }

    /// Whether the run's infrastructure is to be stopped by this process.
    var isToBeStopped: Bool {
        @inline(never) get {
            let state = state.value
            return state.machine.stopReason != nil && !state.isWatchOver
        }
    }

    /// Whether the run's infrastructure has ended.
    var hasEnded: Bool { @inline(never) get { state.value.hasEnded } }

    /// Waits until the run's infrastructure has ended, for at most `duration`.
    func waitForEnd(atMost duration: Duration) async { await state.wait(by: .now + duration) { $0.hasEnded } }

    /// Waits until a stop of the run is requested; `nil` when its infrastructure ends before, or when the task is
    /// cancelled.
    func waitForStopRequest() async -> StopReason? {
        await state.wait { $0.hasEnded || $0.machine.stopReason != nil }
        return hasEnded || Task.isCancelled ? nil : stopReason
    }

    /// Waits until a stop of the run is requested or this process is to pass it to a later one. The wait also ends when
    /// the watch of the run's infrastructure has ended, or when the task is cancelled.
    func waitForRequest() async { await state.wait { $0.isWatchOver || $0.machine.stopReason != nil } }
}
