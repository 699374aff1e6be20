import OrderedCollections
import PrefectClient
import PrefectJSON

@testable import WorkerKit

/// The program's own decisions about the model's states, which this type translates into the program's form. It caches
/// the decisions.
final class ModelDecisions {
    /// A wrong decision of a worker, or a wrong order of its actions.
    enum Mutation: Hashable, CaseIterable {
        case none
        /// The worker writes the row that announces the start after the start.
        case writesSubmittedAfterStart
        /// A recovery does not ask which worker has the run.
        case takesEveryRunForOurs
        /// A recovery resumes a run that it should forget.
        case goesOnInsteadOfForgetting
        /// A recovery forgets a run that it should resume.
        case forgetsInsteadOfGoingOn
        /// A worker treats a refused Submitting as permission to continue.
        case goesOnWhoeverHasTheRun
    }

    private struct StatusQuestion: Hashable {
        let state: ModelState
        let history: ModelHistory
        let claim: ModelTransition
        let stage: RunStage
        let isSettled: Bool
    }

    private struct GoOnQuestion: Hashable {
        let state: ModelState
        let claim: ModelTransition
        let stage: RunStage
        let isSettled: Bool
    }

    private let mutation: Mutation
    private var statuses: [StatusQuestion: RunStatus] = [:]
    private var permissions: [GoOnQuestion: Bool] = [:]

    init(_ mutation: Mutation) { self.mutation = mutation }

    /// The status of a run that was read in `state` and has this history.
    func status(of state: ModelState, _ history: ModelHistory, _ id: ModelWorkerID, _ worker: ModelWorker) throws
        -> RunStatus
    {
        let question = StatusQuestion(
            state: state, history: history, claim: ModelTransition(.claim, of: id, attempt: worker.attempt),
            stage: worker.machine.stage,
            isSettled: worker.machine.isSettled)
        if let status = statuses[question] { return status }
        // The state of a run that was read has its id.
        var current = Self.json(state, at: 0)
        current["id"] = "00000000-0000-0000-0000-000000000000"
        let run = KnownRun(FlowRun(unchecked: ["id": "run", "flow_id": "flow", "state": current]))
        let records = history.states.enumerated().map { index, state in
            State(unchecked: Self.json(state, at: index).objectValue ?? [:])
        }
        // The API returns the states in no particular order.
        var status = RunStatus(run, history: records.reversed(), entry: try Self.entry(id, worker))
        if mutation == .takesEveryRunForOurs {
            status = RunStatus(situation: status.situation, isOurs: true, mayBeClaimed: status.mayBeClaimed)
        }
        statuses[question] = status
        return status
    }

    /// The status as a faulty worker sees it, which resumes runs that it should forget.
    func mutated(_ status: RunStatus) -> RunStatus {
        let isForgotten = !status.mayBeClaimed && (!status.isOurs || !status.isActive)
        guard mutation == .goesOnInsteadOfForgetting, isForgotten else { return status }
        return RunStatus(situation: .pending, isOurs: true)
    }

    /// Whether a recovery forgets a run that it should resume.
    var forgetsInsteadOfGoingOn: Bool { mutation == .forgetsInsteadOfGoingOn }

    /// Whether this worker may start a run that is pending in this state.
    func mayContinue(in state: ModelState, _ id: ModelWorkerID, _ worker: ModelWorker) throws -> Bool {
        if mutation == .goesOnWhoeverHasTheRun { return true }
        let question = GoOnQuestion(
            state: state, claim: ModelTransition(.claim, of: id, attempt: worker.attempt), stage: worker.machine.stage,
            isSettled: worker.machine.isSettled)
        if let answer = permissions[question] { return answer }
        let active = ActiveRun(try Self.entry(id, worker))
        let answer = active.mayContinue(in: Self.name(state.kind), by: state.transition.id)
        permissions[question] = answer
        return answer
    }

    var writesSubmittedAfterStart: Bool { mutation == .writesSubmittedAfterStart }

    // MARK: The program's form

    private static func entry(_ id: ModelWorkerID, _ worker: ModelWorker) throws -> LedgerEntry {
        let (claim, submission) = (
            ModelTransition(.claim, of: id, attempt: worker.attempt),
            ModelTransition(.submission, of: id, attempt: worker.attempt)
        )
        return try LedgerEntry(
            json: JSONFields([
                "flow_run_id": "run", "flow_run_name": "run", "api": "http://api", "pool": "pool",
                "worker_type": "process", "stage": .string(worker.machine.stage.rawValue),
                "claim": JSONValue(claim.id), "submission": JSONValue(submission.id),
                "is_settled": .bool(worker.machine.isSettled),
            ]))
    }

    private static func json(_ state: ModelState, at second: Int) -> JSONValue {
        [
            "type": .string(state.kind.isPending ? "PENDING" : name(state.kind).uppercased()),
            "name": .string(name(state.kind)), "timestamp": .string("2026-01-01T00:00:\(second + 10)Z"),
            "state_details": ["transition_id": JSONValue(state.transition.id)],
        ]
    }

    private static func name(_ kind: ModelState.Kind) -> String {
        switch kind {
        case .scheduled: "Scheduled"
        case .pending: "Pending"
        case .submitting: "Submitting"
        case .running: "Running"
        case .cancelling: "Cancelling"
        case .completed: "Completed"
        case .crashed: "Crashed"
        case .cancelled: "Cancelled"
        }
    }
}
