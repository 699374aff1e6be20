public import PrefectJSON

/// The members of a flow run that a worker needs. Mirrors the API's `FlowRun`.
public struct WorkerFlowRun: Sendable, Hashable, JSONDecodable {
    /// The run's id.
    public let id: String
    /// The run's name.
    public let name: String
    /// The flow's id.
    public let flowID: String
    /// The deployment's id, when the run belongs to one.
    public let deploymentID: String?
    /// The run's tags.
    public private(set) var tags: [String]
    /// The type of the run's state: `SCHEDULED`, `PENDING`, …; empty when the API did not send it.
    public private(set) var stateType: String
    /// The name of the run's state: `Scheduled`, `Late`, `AwaitingRetry`, ….
    public private(set) var stateName: String
    /// When the run should start.
    public let expectedStartTime: Timestamp?
    /// The identifier of the infrastructure that was recorded for the run.
    public let infrastructurePID: String?
    /// Job variables that were set for this run alone.
    public private(set) var jobVariables: JSONValue
    /// The state with its details, if the route returns it.
    public private(set) var state: JSONValue?
    /// The run as the API sent it, for templates that refer to any member of it.
    public private(set) var json: JSONValue
    /// The reason why the run could not be read, in one line, if only its id is known.
    package let unreadable: String?

    /// Creates a run of which only the id and name are known, such as a deleted run.
    package init(id: String, name: String, unreadable: String? = nil) {
        self.unreadable = unreadable
        self.id = id
        self.name = name
        flowID = ""
        deploymentID = nil
        tags = []
        stateType = ""
        stateName = ""
        expectedStartTime = nil
        infrastructurePID = nil
        jobVariables = [:]
        state = nil
        json = ["id": .string(id), "name": .string(name)]
    }

    package init(json fields: JSONFields) throws(JSONDecodingError) {
        id = try fields.string("id")
        name = fields.optionalString("name") ?? id
        flowID = try fields.string("flow_id")
        deploymentID = fields.optionalString("deployment_id")
        tags = fields.strings("tags")
        let state = fields.value("state")
        stateType = fields.optionalString("state_type") ?? state?["type"]?.stringValue ?? ""
        stateName = fields.optionalString("state_name") ?? state?["name"]?.stringValue ?? ""
        expectedStartTime =
            (fields.optionalString("next_scheduled_start_time") ?? fields.optionalString("expected_start_time"))
            .flatMap { Timestamp($0) }
        infrastructurePID = fields.optionalString("infrastructure_pid")
        jobVariables = fields.value("job_variables") ?? [:]
        self.state = state
        json = .object(fields.members)
        unreadable = nil
    }

    /// A copy of the run in another of its states.
    package func inState(_ state: RecordedState) -> WorkerFlowRun {
        var run = self
        run.stateType = state.type
        run.stateName = state.name
        run.state = state.json
        return run
    }

    /// A copy without the members from which only the run's job is made, such as its parameters. It keeps the labels.
    package var outline: WorkerFlowRun {
        var run = self
        run.tags = []
        run.jobVariables = [:]
        run.state = nil
        run.json = ["id": .string(id), "name": .string(name), "labels": labels]
        return run
    }

    /// The id of the transition that brought the run into its state, if the route returns it.
    public var transitionID: String? { state?["state_details"]?["transition_id"]?.stringValue }

    /// The work pool that the run belongs to, if the route returns it.
    public var workPoolName: String? { json["work_pool_name"]?.stringValue }

    /// The labels that workers and other clients have added to the run.
    public var labels: JSONValue { json["labels"] ?? [:] }

    /// Whether the run has ended.
    public var isFinal: Bool { Self.finalTypes.contains(stateType) }

    static let finalTypes: Set = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]
}

/// A state that a worker proposes for a flow run. Mirrors the API's `StateCreate`.
public struct StateProposal: Sendable, Hashable {
    /// `PENDING`, `CRASHED`, `CANCELLED`, `SCHEDULED`, ….
    public var type: String
    /// The state's name: `Pending`, `Submitting`, ….
    public var name: String
    /// The message for people, sent with at most ``maximumMessageBytes``.
    public var message: String?
    /// The time for which a SCHEDULED state plans the run.
    public var scheduledTime: Timestamp?
    /// The state's data about the run's result.
    public var data: JSONValue?

    /// A proposal of a state.
    public init(type: String, name: String, message: String? = nil, scheduledTime: Timestamp? = nil) {
        self.type = type
        self.name = name
        self.message = message
        self.scheduledTime = scheduledTime
    }

    /// Creates a proposal that repeats a state of the run.
    package init(_ state: RecordedState) {
        self.init(type: state.type, name: state.name, message: state.message, scheduledTime: state.scheduledTime)
        data = state.data
    }

    /// The maximum size of a sent message. The API could refuse a longer message, and with it a state that must be
    /// reported.
    public static let maximumMessageBytes = 65_536

    /// The worker claims the run.
    public static let pending = StateProposal(type: "PENDING", name: "Pending")
    /// The worker is about to create the run's infrastructure.
    package static let submitting = StateProposal(type: "PENDING", name: "Submitting")

    /// The name of a PENDING state for a run whose infrastructure exists but has not begun to run. The observer of the
    /// infrastructure proposes this state.
    package static let infrastructurePending = "InfrastructurePending"

    /// The run's infrastructure failed.
    public static func crashed(_ message: String) -> StateProposal {
        StateProposal(type: "CRASHED", name: "Crashed", message: message)
    }

    /// The run was cancelled.
    public static func cancelled(_ message: String) -> StateProposal {
        StateProposal(type: "CANCELLED", name: "Cancelled", message: message)
    }

    /// The proposal in the API's format. The transition id lets the server recognise a repeated proposal.
    func json(flowRunID: String, transitionID: String) -> JSONValue {
        [
            "type": .string(type), "name": .string(name),
            "message": JSONValue(message?.withoutNUL.truncated(toBytes: Self.maximumMessageBytes)),
            "data": data ?? .null,
            "state_details": [
                "flow_run_id": .string(flowRunID), "task_run_id": nil, "child_flow_run_id": nil,
                "scheduled_time": JSONValue(scheduledTime?.apiFormat), "cache_key": nil, "cache_expiration": nil,
                "deferred": nil, "untrackable_result": false, "pause_timeout": nil, "pause_reschedule": false,
                "pause_key": nil, "run_input_keyset": nil, "refresh_cache": nil, "retriable": nil,
                "transition_id": .string(transitionID), "task_parameters_id": nil, "traceparent": nil,
                "deployment_concurrency_lease_id": nil,
            ],
        ]
    }
}

/// The API's answer to a proposed state.
public enum ProposalOutcome: Sendable, Hashable {
    /// The run is in the proposed state.
    case accepted(state: JSONValue)
    /// The run is in another state that the API chose.
    case rejected(state: JSONValue, reason: String)
    /// Nothing changed.
    case aborted(reason: String)
}

/// A state that a flow run has or had. Mirrors the API's `State`.
public struct RecordedState: Sendable, Hashable, JSONDecodable {
    /// `SCHEDULED`, `PENDING`, ….
    public let type: String
    /// The state's name.
    public let name: String
    /// When the run entered the state.
    public let timestamp: Timestamp
    /// The id of the transition into the state, if its proposer sent one.
    public let transitionID: String?
    /// The message for people.
    public let message: String?
    /// The state's data about the run's result.
    public let data: JSONValue?
    /// The time for which a SCHEDULED state plans the run.
    public let scheduledTime: Timestamp?
    /// The state as the API sent it.
    public let json: JSONValue

    /// Whether a run in this state has ended.
    public var isFinal: Bool { WorkerFlowRun.finalTypes.contains(type) }

    package init(json fields: JSONFields) throws(JSONDecodingError) {
        type = try fields.string("type")
        name = fields.optionalString("name") ?? type
        timestamp = fields.optionalString("timestamp").flatMap { Timestamp($0) } ?? .earliest
        let details = fields.value("state_details")
        transitionID = details?["transition_id"]?.stringValue
        message = fields.optionalString("message")
        data = fields.value("data")
        scheduledTime = details?["scheduled_time"]?.stringValue.flatMap { Timestamp($0) }
        json = .object(fields.members)
    }
}
