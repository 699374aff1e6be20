// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// Represents the state of a run.
public struct State: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("type", StateType.self, in: members)
        try require("timestamp", Timestamp.self, in: members)
    }

    /// The member `id`.
    public var id: UUID {
        get { required("id") }
        set { assign("id", newValue) }
    }

    /// The member `type`.
    public var type: StateType {
        get { required("type") }
        set { assign("type", newValue) }
    }

    /// The member `name`.
    public var name: String? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// The member `timestamp`.
    public var timestamp: Timestamp {
        get { required("timestamp") }
        set { assign("timestamp", newValue) }
    }

    /// The member `message`.
    public var message: String? {
        get { optional("message") }
        set { assign("message", newValue) }
    }

    /// Data associated with the state, e.g.
    public var data: JSONValue? {
        get { optional("data") }
        set { assign("data", newValue) }
    }

    /// The member `state_details`.
    public var stateDetails: StateDetails {
        get { member("state_details", default: StateDetails(unchecked: [:])) }
        set { assign("state_details", newValue) }
    }
}

/// Data used by the Prefect REST API to create a new state.
public struct StateCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(type: StateType, _ configure: (inout StateCreate) -> Void = { _ in }) {
        members = [:]
        assign("type", type)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("type", StateType.self, in: members)
    }

    /// The type of the state to create.
    public var type: StateType {
        get { required("type") }
        set { assign("type", newValue) }
    }

    /// The name of the state to create.
    public var name: String? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// The message of the state to create.
    public var message: String? {
        get { optional("message") }
        set { assign("message", newValue) }
    }

    /// The data of the state to create.
    public var data: JSONValue? {
        get { optional("data") }
        set { assign("data", newValue) }
    }

    /// The details of the state to create.
    public var stateDetails: StateDetails? {
        get { optional("state_details") }
        set { assign("state_details", newValue) }
    }
}

/// The API's `StateDetails`.
public struct StateDetails: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout StateDetails) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `flow_run_id`.
    public var flowRunID: UUID? {
        get { optional("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }

    /// The member `task_run_id`.
    public var taskRunID: UUID? {
        get { optional("task_run_id") }
        set { assign("task_run_id", newValue) }
    }

    /// The member `child_flow_run_id`.
    public var childFlowRunID: UUID? {
        get { optional("child_flow_run_id") }
        set { assign("child_flow_run_id", newValue) }
    }

    /// The member `scheduled_time`.
    public var scheduledTime: Timestamp? {
        get { optional("scheduled_time") }
        set { assign("scheduled_time", newValue) }
    }

    /// The member `cache_key`.
    public var cacheKey: String? {
        get { optional("cache_key") }
        set { assign("cache_key", newValue) }
    }

    /// The member `cache_expiration`.
    public var cacheExpiration: Timestamp? {
        get { optional("cache_expiration") }
        set { assign("cache_expiration", newValue) }
    }

    /// The member `deferred`.
    public var deferred: Bool? {
        get { optional("deferred") }
        set { assign("deferred", newValue) }
    }

    /// The member `untrackable_result`.
    public var untrackableResult: Bool? {
        get { optional("untrackable_result") }
        set { assign("untrackable_result", newValue) }
    }

    /// The member `pause_timeout`.
    public var pauseTimeout: Timestamp? {
        get { optional("pause_timeout") }
        set { assign("pause_timeout", newValue) }
    }

    /// The member `pause_reschedule`.
    public var pauseReschedule: Bool? {
        get { optional("pause_reschedule") }
        set { assign("pause_reschedule", newValue) }
    }

    /// The member `pause_key`.
    public var pauseKey: String? {
        get { optional("pause_key") }
        set { assign("pause_key", newValue) }
    }

    /// The member `run_input_keyset`.
    public var runInputKeyset: OrderedDictionary<String, String>? {
        get { optional("run_input_keyset") }
        set { assign("run_input_keyset", newValue) }
    }

    /// The member `refresh_cache`.
    public var refreshCache: Bool? {
        get { optional("refresh_cache") }
        set { assign("refresh_cache", newValue) }
    }

    /// The member `retriable`.
    public var retriable: Bool? {
        get { optional("retriable") }
        set { assign("retriable", newValue) }
    }

    /// The member `transition_id`.
    public var transitionID: UUID? {
        get { optional("transition_id") }
        set { assign("transition_id", newValue) }
    }

    /// The member `task_parameters_id`.
    public var taskParametersID: UUID? {
        get { optional("task_parameters_id") }
        set { assign("task_parameters_id", newValue) }
    }

    /// The member `traceparent`.
    public var traceparent: String? {
        get { optional("traceparent") }
        set { assign("traceparent", newValue) }
    }

    /// The member `deployment_concurrency_lease_id`.
    public var deploymentConcurrencyLeaseID: UUID? {
        get { optional("deployment_concurrency_lease_id") }
        set { assign("deployment_concurrency_lease_id", newValue) }
    }
}

/// A container for the output of state orchestration.
public struct OrchestrationResult: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("status", SetStateStatus.self, in: members)
        try require("details", OrchestrationDetails.self, in: members)
    }

    /// The member `state`.
    public var state: State? {
        get { optional("state") }
        set { assign("state", newValue) }
    }

    /// The member `status`.
    public var status: SetStateStatus {
        get { required("status") }
        set { assign("status", newValue) }
    }

    /// The member `details`.
    public var details: OrchestrationDetails {
        get { required("details") }
        set { assign("details", newValue) }
    }
}

/// Details associated with an ACCEPT state transition.
public struct StateAcceptDetails: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout StateAcceptDetails) -> Void = { _ in }) {
        members = [:]
        members["type"] = "accept_details"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

}

/// Details associated with a WAIT state transition.
public struct StateWaitDetails: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(delaySeconds: Int, _ configure: (inout StateWaitDetails) -> Void = { _ in }) {
        members = [:]
        members["type"] = "wait_details"
        assign("delay_seconds", delaySeconds)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("delay_seconds", Int.self, in: members)
    }

    /// The length of time in seconds the client should wait before transitioning states.
    public var delaySeconds: Int {
        get { required("delay_seconds") }
        set { assign("delay_seconds", newValue) }
    }

    /// The reason why the state transition should wait.
    public var reason: String? {
        get { optional("reason") }
        set { assign("reason", newValue) }
    }
}

/// Details associated with a REJECT state transition.
public struct StateRejectDetails: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout StateRejectDetails) -> Void = { _ in }) {
        members = [:]
        members["type"] = "reject_details"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The reason why the state transition was rejected.
    public var reason: String? {
        get { optional("reason") }
        set { assign("reason", newValue) }
    }
}

/// Details associated with an ABORT state transition.
public struct StateAbortDetails: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout StateAbortDetails) -> Void = { _ in }) {
        members = [:]
        members["type"] = "abort_details"
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The reason why the state transition was aborted.
    public var reason: String? {
        get { optional("reason") }
        set { assign("reason", newValue) }
    }
}

/// The reason of the server's answer to a proposed state.
public enum OrchestrationDetails: JSONConvertible {
    /// The case that the API's `type` `accept_details` marks.
    case acceptDetails(StateAcceptDetails)
    /// The case that the API's `type` `wait_details` marks.
    case waitDetails(StateWaitDetails)
    /// The case that the API's `type` `reject_details` marks.
    case rejectDetails(StateRejectDetails)
    /// The case that the API's `type` `abort_details` marks.
    case abortDetails(StateAbortDetails)
    /// A value that this version does not know, as it is.
    case unknown(JSONValue)

    /// Reads a value. An unknown one is kept as it is.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        switch jsonValue["type"]?.stringValue {
        case "accept_details": self = .acceptDetails(try StateAcceptDetails(jsonValue: jsonValue))
        case "wait_details": self = .waitDetails(try StateWaitDetails(jsonValue: jsonValue))
        case "reject_details": self = .rejectDetails(try StateRejectDetails(jsonValue: jsonValue))
        case "abort_details": self = .abortDetails(try StateAbortDetails(jsonValue: jsonValue))
        default: self = .unknown(jsonValue)
        }
    }

    /// The value as JSON.
    public var jsonValue: JSONValue {
        switch self {
        case .acceptDetails(let value): value.jsonValue
        case .waitDetails(let value): value.jsonValue
        case .rejectDetails(let value): value.jsonValue
        case .abortDetails(let value): value.jsonValue
        case .unknown(let value): value
        }
    }

    /// An unknown value.
    public static var jsonPlaceholder: OrchestrationDetails { .unknown(.null) }
}
