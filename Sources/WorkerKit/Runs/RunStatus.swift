internal import PrefectClient

/// The status of a run that this worker has begun with, derived from the run itself and from all the states that it
/// had.
struct RunStatus: Sendable, Hashable {
    /// The run's current state, in the detail that decides what the worker can do with the run.
    enum Situation: UInt8, Sendable, Hashable {
        /// It was deleted.
        case deleted
        /// It waits for a claim, or for a person.
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
    /// Whether the run still waits as it did before this worker's claim, so that the claim may still be on its way.
    let mayBeClaimed: Bool

    /// The status of a deleted run, and of a run that was not read yet.
    static let unread = RunStatus(situation: .deleted, isOurs: false)

    init(situation: Situation, isOurs: Bool, mayBeClaimed: Bool = false) {
        self.situation = situation
        self.isOurs = isOurs
        self.mayBeClaimed = mayBeClaimed
    }

    /// Whether a worker must still bring the run to its end.
    var isActive: Bool { [.pending, .running, .cancelling].contains(situation) }

    /// Whether the run has ended or was deleted.
    var isOver: Bool { situation == .final || situation == .deleted }

    /// The status of a run by all the states that it had; `history` need not be in order.
    ///
    /// The last state of the type PENDING is the last claim. Another worker's claim may follow this worker's own, as a
    /// state named Pending. It does not count if this worker has the claim's mark, because it was accepted too and
    /// lost. It does not count either while this worker has yet to request the mark. A Pending after a rescheduling of
    /// the run is a new claim.
    init(_ run: KnownRun, history: [State], entry: LedgerEntry) {
        let situation: Situation =
            switch run.stateType {
            case .pending: .pending
            case .running: .running
            case .cancelling: .cancelling
            case .completed, .failed, .crashed, .cancelled: .final
            default: .waiting
            }
        // A state that reports pending infrastructure is no claim: any observer of the infrastructure may set it.
        let steps = history.filter { $0.type == .pending || $0.type == .scheduled }
            .filter { $0.name != StateCreate.infrastructurePending }
            .sorted { $0.timestamp < $1.timestamp }
        var last = steps.last { $0.type == .pending }
        if entry.isSettled || entry.stage == .due,
            let own = steps.lastIndex(where: { $0.transitionID.map(entry.transitions.contains) == true }),
            steps[own...].dropFirst().allSatisfy({ $0.name == "Pending" })
        {
            last = steps[own]
        }
        // The API does not return the planned time of a run that is too large to be read.
        let isPlannedAsBefore = run.expectedStartTime == entry.due || run.unreadable != nil
        self.init(
            situation: situation, isOurs: last?.transitionID.map(entry.transitions.contains) ?? false,
            mayBeClaimed: entry.stage == .due && run.stateType == .scheduled && isPlannedAsBefore)
    }
}
