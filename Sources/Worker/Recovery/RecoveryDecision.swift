internal import PrefectAPI

/// What the API says of a run that an earlier process of the worker left.
struct RunStanding: Sendable, Hashable {
    /// What can be done with a run in its state.
    enum Situation: Sendable, Hashable {
        /// It was deleted.
        case deleted
        /// It waits to be claimed, or for a person.
        case waiting
        case pending
        case running
        case cancelling
        /// It has ended.
        case final
    }

    let situation: Situation
    /// Whether the last claim that the API accepted is this worker's.
    let isOurs: Bool
    /// Whether it still waits as it did when this worker was about to claim it, so that the claim may be on its way yet.
    let mayBeClaimed: Bool

    init(situation: Situation, isOurs: Bool, mayBeClaimed: Bool = false) {
        self.situation = situation
        self.isOurs = isOurs
        self.mayBeClaimed = mayBeClaimed
    }

    /// The standing of a run by all the states that it had; `history` need not be in order.
    ///
    /// The last state of the type PENDING is the last claim. A mere Pending of another worker's that follows our own does
    /// not count where this one holds the claim's mark: it was accepted beside ours, and lost. Nor does it where the mark
    /// is still to be asked for. One that follows after the run was planned anew is another claim.
    init(_ run: FlowRun, history: [RecordedState], entry: LedgerEntry) {
        situation =
            switch run.stateType {
            case "PENDING": .pending
            case "RUNNING": .running
            case "CANCELLING": .cancelling
            case "COMPLETED", "FAILED", "CRASHED", "CANCELLED": .final
            default: .waiting
            }
        // That the infrastructure waits is no claim: whoever sees it says so.
        let steps = history.filter { $0.type == "PENDING" || $0.type == "SCHEDULED" }
            .filter { $0.name != StateProposal.infrastructurePending }
            .sorted { $0.timestamp < $1.timestamp }
        var last = steps.last { $0.type == "PENDING" }
        if entry.isSettled || entry.stage == .due,
            let own = steps.lastIndex(where: { $0.transitionID.map(entry.transitions.contains) == true }),
            steps[own...].dropFirst().allSatisfy({ $0.name == "Pending" })
        {
            last = steps[own]
        }
        // A run that is too large to be read does not say for when it is planned.
        let isPlannedAsBefore = run.expectedStartTime == entry.due || run.unreadable != nil
        mayBeClaimed = entry.stage == .due && run.stateType == "SCHEDULED" && isPlannedAsBefore
        isOurs = last?.transitionID.map(entry.transitions.contains) ?? false
    }
}

/// What is to be done about a run that an earlier process left: the whole of recovery, as a value.
enum RecoveryDecision: Sendable, Hashable {
    /// Nothing is left to be done by this worker.
    case forget
    /// The claim may have been sent and has not come: make it again. The same transition does no harm twice.
    case claim
    /// The run is claimed and its infrastructure was never created: go on from there.
    case goOn
    /// The infrastructure is there: watch it to its end.
    case watch(InfrastructureIdentifier)
    /// The infrastructure has ended and its run has not: say so.
    case report(InfrastructureIdentifier)
    /// The run is being cancelled and nothing of it is left: end it.
    case cancel
    /// Nothing can be said: look again at the next start.
    case keep

    /// Decides. Infrastructure that is there is watched, whatever the API says; that the run is another's now is looked
    /// at again when it has ended. Nothing is created but for a run that is pending by this worker's claim.
    init(_ run: RunStanding, remains: InfrastructureRemains) {
        switch remains {
        case .running(let identifier): self = .watch(identifier)
        case .neverStarted where run.mayBeClaimed: self = .claim
        case _ where run.situation == .final || run.situation == .deleted || !run.isOurs: self = .forget
        case .outOfReach: self = .keep
        case .neverStarted:
            switch run.situation {
            case .pending: self = .goOn
            case .cancelling: self = .cancel
            default: self = .forget
            }
        case .ended(let identifier):
            switch run.situation {
            case .pending, .running, .cancelling: self = .report(identifier)
            default: self = .forget
            }
        }
    }
}
