internal import FoundationEssentials
public import PrefectJSON

extension StateType {
    /// Whether a run in such a state has ended.
    public var isFinal: Bool { [.completed, .failed, .crashed, .cancelled].contains(self) }
}

extension State {
    /// Whether a run in this state has ended.
    public var isFinal: Bool { type.isFinal }

    /// The state's name, or else its type.
    package var shownName: String { name ?? type.rawValue }

    /// The id of the transition into the state, if its proposer sent one.
    package var transitionID: String? { stateDetails["transition_id"]?.stringValue }
}

/// A state that a worker proposes for a flow run.
extension StateCreate {
    /// A state with a message, sent with at most ``maximumMessageBytes``.
    ///
    /// - Parameter scheduledTime: The time for which a SCHEDULED state plans the run.
    public init(type: StateType, name: String, message: String? = nil, scheduledTime: Timestamp? = nil) {
        self.init(type: type)
        self.name = name
        if let message { self.message = message }
        if let scheduledTime { stateDetails = StateDetails { $0.scheduledTime = scheduledTime } }
    }

    /// Repeats a state that a run had.
    package init(_ state: State) {
        self.init(
            type: state.type, name: state.shownName, message: state.message,
            scheduledTime: state.stateDetails.scheduledTime)
        data = state.data
    }

    /// The maximum size of a sent message. The API could refuse a longer message, and with it a state that must be
    /// reported.
    public static let maximumMessageBytes = 65_536

    /// The worker claims the run.
    public static let pending = StateCreate(type: .pending, name: "Pending")
    /// The worker is about to create the run's infrastructure.
    package static let submitting = StateCreate(type: .pending, name: "Submitting")

    /// The name of a PENDING state for a run whose infrastructure exists but has not begun to run. The observer of the
    /// infrastructure proposes this state.
    package static let infrastructurePending = "InfrastructurePending"

    /// The run's infrastructure failed.
    public static func crashed(_ message: String) -> StateCreate {
        StateCreate(type: .crashed, name: "Crashed", message: message)
    }

    /// The run was cancelled.
    public static func cancelled(_ message: String) -> StateCreate {
        StateCreate(type: .cancelled, name: "Cancelled", message: message)
    }

    /// The state as it is sent for a flow run. The transition id lets the server recognise a repeated proposal.
    func proposal(flowRunID: UUID, transitionID: String) -> JSONValue {
        var state = self
        state.message = message?.withoutNUL.truncated(toBytes: Self.maximumMessageBytes)
        return state.withDetails {
            $0.flowRunID = flowRunID
            $0["transition_id"] = .string(transitionID)
        }.jsonValue
    }

    /// The state with further details, as it is sent.
    func withDetails(_ change: (inout StateDetails) -> Void) -> StateCreate {
        var details = stateDetails ?? StateDetails()
        change(&details)
        // The API's default is `false`. With `null`, the API decides itself.
        if details["deferred"] == nil { details.deferred = nil }
        var state = self
        state.stateDetails = details
        return state
    }
}

/// The API's answer to a proposed state.
public enum ProposalOutcome: Sendable, Hashable {
    /// The run is in the proposed state.
    case accepted(state: State?)
    /// The run is in another state that the API chose.
    case rejected(state: State?, reason: String)
    /// Nothing changed.
    case aborted(reason: String)
}
