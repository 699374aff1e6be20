internal import PrefectAPI

/// What the API says of a run that this worker has begun with, by the run itself and by all the states that it had.
struct RunStatus: Sendable, Hashable {
    /// What can be done with a run in its state.
    enum Situation: UInt8, Sendable, Hashable {
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

    /// The status of a run that was deleted, and of one that nobody has read.
    static let unread = RunStatus(situation: .deleted, isOurs: false)

    init(situation: Situation, isOurs: Bool, mayBeClaimed: Bool = false) {
        self.situation = situation
        self.isOurs = isOurs
        self.mayBeClaimed = mayBeClaimed
    }

    /// Whether somebody has to bring the run to its end.
    var isActive: Bool { [.pending, .running, .cancelling].contains(situation) }

    /// Whether nothing can become of the run any more.
    var isOver: Bool { situation == .final || situation == .deleted }

    /// The status of a run by all the states that it had; `history` need not be in order.
    ///
    /// The last state of the type PENDING is the last claim. A mere Pending of another worker's that follows our own does
    /// not count where this one holds the claim's mark: it was accepted beside ours, and lost. Nor does it where the mark
    /// is still to be asked for. One that follows after the run was planned anew is another claim.
    init(_ run: FlowRun, history: [RecordedState], entry: LedgerEntry) {
        let situation: Situation =
            switch run.stateType {
            case "PENDING": .pending
            case "RUNNING": .running
            case "CANCELLING": .cancelling
            case "COMPLETED", "FAILED", "CRASHED", "CANCELLED": .final
            default: .waiting
            }
        // A state that says that infrastructure is pending is no claim: anybody who observes it may set it.
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
        self.init(
            situation: situation, isOurs: last?.transitionID.map(entry.transitions.contains) ?? false,
            mayBeClaimed: entry.stage == .due && run.stateType == "SCHEDULED" && isPlannedAsBefore)
    }
}
