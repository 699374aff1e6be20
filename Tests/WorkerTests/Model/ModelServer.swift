/// One of the two workers.
enum ModelWorkerID: UInt8 {
    case first
    case second

    var other: ModelWorkerID { self == .first ? .second : .first }
    var title: StaticString { self == .first ? "worker A" : "worker B" }
}

/// The transition that caused a state; zero for a state that the server, the flow's process or the user has set.
struct ModelTransition: Hashable {
    enum Purpose: UInt8 {
        case claim
        case submission
    }

    static let nobodys = ModelTransition(raw: 0)

    let raw: UInt8

    init(raw: UInt8) { self.raw = raw }

    /// A transition of one attempt of a worker at the run.
    init(_ purpose: Purpose, of worker: ModelWorkerID, attempt: UInt8) {
        raw = 1 + (attempt << 2 | worker.rawValue << 1 | purpose.rawValue)
    }

    /// The id in the form in which it is sent.
    var id: String? { raw == 0 ? nil : "transition-\(raw)" }
}

/// A state that the run has or had.
struct ModelState: Hashable {
    enum Kind: UInt8 {
        case scheduled
        case pending
        case submitting
        case running
        case cancelling
        case completed
        case crashed
        case cancelled

        var isFinal: Bool { rawValue >= Kind.completed.rawValue }
        /// Whether the state's type is PENDING.
        var isPending: Bool { self == .pending || self == .submitting }
    }

    var kind: Kind
    var transition = ModelTransition.nobodys
}

/// The states that the run had, in the order of their timestamps, as one number.
struct ModelHistory: Hashable {
    private var bits: UInt128 = 0
    var count: UInt8 {
        UInt8((UInt128.bitWidth - bits.leadingZeroBitCount + 7) / 8)
    }

    /// Inserts a state at the position of its timestamp.
    mutating func insert(_ state: ModelState, at position: UInt8) {
        let shift = UInt128(position) * 8
        let below = bits & ((UInt128(1) << shift) - 1)
        let byte = UInt128((state.kind.rawValue + 1) << 4 | state.transition.raw)
        bits = below | byte << shift | (bits >> shift) << (shift + 8)
    }

    var states: [ModelState] {
        (0..<count).map { position in
            let byte = UInt8(truncatingIfNeeded: bits >> (UInt128(position) * 8))
            return ModelState(
                kind: ModelState.Kind(rawValue: (byte >> 4) - 1) ?? .scheduled,
                transition: ModelTransition(raw: byte & 15))
        }
    }
}

/// The server's knowledge of the one run. It judges proposals one by one.
struct ModelServer: Hashable {
    enum Verdict: UInt8 {
        case accepted
        /// The run is already in that state by the same transition.
        case acceptedBefore
        case refused
    }

    private(set) var history = ModelHistory()
    private(set) var state = ModelState(kind: .scheduled)
    /// The claim that has the mark.
    private(set) var mark = ModelTransition.nobodys
    /// The claim that had the mark before the run was rescheduled.
    private(set) var formerMark = ModelTransition.nobodys

    func judge(_ proposal: ModelState) -> Verdict {
        if proposal.transition != .nobodys, proposal.transition == state.transition { return .acceptedBefore }
        if state.kind.isFinal { return .refused }
        let isAccepted =
            switch proposal.kind {
            case .pending: state.kind == .scheduled
            case .submitting: state.kind == .scheduled || state.kind == .pending
            case .running: state.kind == .scheduled || state.kind.isPending
            case .completed, .crashed: state.kind != .cancelling
            case .cancelling: state.kind != .cancelling
            case .cancelled: true
            case .scheduled: false
            }
        return isAccepted ? .accepted : .refused
    }

    /// Enters a state. Its timestamp is the newest one, or has this position among the others.
    mutating func enter(_ next: ModelState, at position: UInt8? = nil) {
        state = next
        history.insert(next, at: position ?? history.count)
    }

    /// Judges a proposal, and enters its state if the proposal is accepted.
    mutating func propose(_ proposal: ModelState) -> Verdict {
        let verdict = judge(proposal)
        if verdict == .accepted { enter(proposal) }
        return verdict
    }

    /// Reschedules the run. A claim's mark counts only for the time for which the run was scheduled.
    mutating func reschedule() {
        enter(ModelState(kind: .scheduled))
        if mark != .nobodys { formerMark = mark }
        mark = .nobodys
    }

    /// Gives the mark to a claim if no claim has it. Returns whether the claim received it.
    mutating func writeMark(_ claim: ModelTransition) -> Bool {
        guard mark == .nobodys else { return false }
        mark = claim
        return true
    }
}
