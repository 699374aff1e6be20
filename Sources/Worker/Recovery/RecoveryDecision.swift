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

    init(situation: Situation, isOurs: Bool) {
        self.situation = situation
        self.isOurs = isOurs
    }

    /// The standing of a run by all the states that it had; `history` need not be in order.
    ///
    /// The last state of the type PENDING is the last claim. A mere Pending of another worker's does not count where
    /// this one holds the claim's mark: it was accepted beside ours, and lost.
    init(_ run: FlowRun, history: [RecordedState], entry: LedgerEntry) {
        situation =
            switch run.stateType {
            case "PENDING": .pending
            case "RUNNING": .running
            case "CANCELLING": .cancelling
            case "COMPLETED", "FAILED", "CRASHED", "CANCELLED": .final
            default: .waiting
            }
        let claims = history.filter { $0.type == "PENDING" }.sorted { $0.timestamp < $1.timestamp }
        let last = claims.last { claim in
            !(entry.isSettled && claim.name == "Pending" && claim.transitionID.map(entry.transitions.contains) != true)
        }
        isOurs = last?.transitionID.map(entry.transitions.contains) ?? false
    }
}

/// What is to be done about a run that an earlier process left: the whole of recovery, as a value.
enum RecoveryDecision: Sendable, Hashable {
    /// Nothing is left to be done by this worker.
    case forget
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
