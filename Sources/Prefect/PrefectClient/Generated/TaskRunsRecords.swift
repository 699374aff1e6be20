// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// The API's `TaskRun`.
public struct TaskRun: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("task_key", String.self, in: members)
        try require("dynamic_key", String.self, in: members)
    }

    /// The member `id`.
    public var id: UUID {
        get { required("id") }
        set { assign("id", newValue) }
    }

    /// The member `created`.
    public var created: Timestamp? {
        get { optional("created") }
        set { assign("created", newValue) }
    }

    /// The member `updated`.
    public var updated: Timestamp? {
        get { optional("updated") }
        set { assign("updated", newValue) }
    }

    /// The member `name`.
    public var name: String {
        get { member("name", default: "") }
        set { assign("name", newValue) }
    }

    /// The flow run id of the task run.
    public var flowRunID: UUID? {
        get { optional("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }

    /// A unique identifier for the task being run.
    public var taskKey: String {
        get { required("task_key") }
        set { assign("task_key", newValue) }
    }

    /// A dynamic key used to differentiate between multiple runs of the same task within the same flow run.
    public var dynamicKey: String {
        get { required("dynamic_key") }
        set { assign("dynamic_key", newValue) }
    }

    /// An optional cache key.
    public var cacheKey: String? {
        get { optional("cache_key") }
        set { assign("cache_key", newValue) }
    }

    /// Specifies when the cached state should expire.
    public var cacheExpiration: Timestamp? {
        get { optional("cache_expiration") }
        set { assign("cache_expiration", newValue) }
    }

    /// The version of the task being run.
    public var taskVersion: String? {
        get { optional("task_version") }
        set { assign("task_version", newValue) }
    }

    /// The member `empirical_policy`.
    public var empiricalPolicy: TaskRunPolicy {
        get { member("empirical_policy", default: TaskRunPolicy(unchecked: [:])) }
        set { assign("empirical_policy", newValue) }
    }

    /// A list of tags for the task run.
    public var tags: [String] {
        get { member("tags", default: []) }
        set { assign("tags", newValue) }
    }

    /// A dictionary of key-value labels.
    public var labels: JSONObject? {
        get { optional("labels") }
        set { assign("labels", newValue) }
    }

    /// The id of the current task run state.
    public var stateID: UUID? {
        get { optional("state_id") }
        set { assign("state_id", newValue) }
    }

    /// Tracks the source of inputs to a task run.
    public var taskInputs: OrderedDictionary<String, [TaskRunInput]> {
        get { member("task_inputs", default: [:]) }
        set { assign("task_inputs", newValue) }
    }

    /// The type of the current task run state.
    public var stateType: StateType? {
        get { optional("state_type") }
        set { assign("state_type", newValue) }
    }

    /// The name of the current task run state.
    public var stateName: String? {
        get { optional("state_name") }
        set { assign("state_name", newValue) }
    }

    /// The number of times the task run has been executed.
    public var runCount: Int {
        get { member("run_count", default: 0) }
        set { assign("run_count", newValue) }
    }

    /// If the parent flow has retried, this indicates the flow retry this run is associated with.
    public var flowRunRunCount: Int {
        get { member("flow_run_run_count", default: 0) }
        set { assign("flow_run_run_count", newValue) }
    }

    /// The task run's expected start time.
    public var expectedStartTime: Timestamp? {
        get { optional("expected_start_time") }
        set { assign("expected_start_time", newValue) }
    }

    /// The next time the task run is scheduled to start.
    public var nextScheduledStartTime: Timestamp? {
        get { optional("next_scheduled_start_time") }
        set { assign("next_scheduled_start_time", newValue) }
    }

    /// The actual start time.
    public var startTime: Timestamp? {
        get { optional("start_time") }
        set { assign("start_time", newValue) }
    }

    /// The actual end time.
    public var endTime: Timestamp? {
        get { optional("end_time") }
        set { assign("end_time", newValue) }
    }

    /// Total run time.
    public var totalRunTime: Duration {
        get { member("total_run_time", default: .seconds(0)) }
        set { assign("total_run_time", newValue) }
    }

    /// A real-time estimate of total run time.
    public var estimatedRunTime: Duration {
        get { member("estimated_run_time", default: .seconds(0)) }
        set { assign("estimated_run_time", newValue) }
    }

    /// The difference between actual and expected start time.
    public var estimatedStartTimeDelta: Duration {
        get { member("estimated_start_time_delta", default: .seconds(0)) }
        set { assign("estimated_start_time_delta", newValue) }
    }

    /// The current task run state.
    public var state: State? {
        get { optional("state") }
        set { assign("state", newValue) }
    }
}

/// Data used by the Prefect REST API to create a task run.
public struct TaskRunCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(taskKey: String, dynamicKey: String, _ configure: (inout TaskRunCreate) -> Void = { _ in }) {
        members = [:]
        assign("task_key", taskKey)
        assign("dynamic_key", dynamicKey)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("task_key", String.self, in: members)
        try require("dynamic_key", String.self, in: members)
    }

    /// The ID to assign to the task run.
    public var id: UUID? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// The state of the task run to create.
    public var state: StateCreate? {
        get { optional("state") }
        set { assign("state", newValue) }
    }

    /// The member `name`.
    public var name: String? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// The flow run id of the task run.
    public var flowRunID: UUID? {
        get { optional("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }

    /// A unique identifier for the task being run.
    public var taskKey: String {
        get { required("task_key") }
        set { assign("task_key", newValue) }
    }

    /// A dynamic key used to differentiate between multiple runs of the same task within the same flow run.
    public var dynamicKey: String {
        get { required("dynamic_key") }
        set { assign("dynamic_key", newValue) }
    }

    /// An optional cache key.
    public var cacheKey: String? {
        get { optional("cache_key") }
        set { assign("cache_key", newValue) }
    }

    /// Specifies when the cached state should expire.
    public var cacheExpiration: Timestamp? {
        get { optional("cache_expiration") }
        set { assign("cache_expiration", newValue) }
    }

    /// The version of the task being run.
    public var taskVersion: String? {
        get { optional("task_version") }
        set { assign("task_version", newValue) }
    }

    /// The member `empirical_policy`.
    public var empiricalPolicy: TaskRunPolicy? {
        get { optional("empirical_policy") }
        set { assign("empirical_policy", newValue) }
    }

    /// A list of tags for the task run.
    public var tags: [String]? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }

    /// A dictionary of key-value labels.
    public var labels: JSONObject? {
        get { optional("labels") }
        set { assign("labels", newValue) }
    }

    /// The inputs to the task run.
    public var taskInputs: OrderedDictionary<String, [TaskRunInput]>? {
        get { optional("task_inputs") }
        set { assign("task_inputs", newValue) }
    }
}

/// Data used by the Prefect REST API to update a task run.
public struct TaskRunUpdate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout TaskRunUpdate) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `name`.
    public var name: String? {
        get { optional("name") }
        set { assign("name", newValue) }
    }
}

/// The API's `TaskRunPolicy`.
public struct TaskRunPolicy: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout TaskRunPolicy) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The maximum number of retries.
    public var maxRetries: Int? {
        get { optional("max_retries") }
        set { assign("max_retries", newValue) }
    }

    /// The delay between retries.
    public var retryDelaySeconds: Double? {
        get { optional("retry_delay_seconds") }
        set { assign("retry_delay_seconds", newValue) }
    }

    /// The number of retries.
    public var retries: Int? {
        get { optional("retries") }
        set { assign("retries", newValue) }
    }

    /// A delay time or list of delay times between retries, in seconds.
    public var retryDelay: OneOrMore<Double>? {
        get { optional("retry_delay") }
        set { assign("retry_delay", newValue) }
    }

    /// Determines the amount a retry should jitter.
    public var retryJitterFactor: Double? {
        get { optional("retry_jitter_factor") }
        set { assign("retry_jitter_factor", newValue) }
    }
}

/// Represents a task run result input to another task run.
public struct TaskRunResult: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(id: UUID, _ configure: (inout TaskRunResult) -> Void = { _ in }) {
        members = [:]
        members["input_type"] = "task_run"
        assign("id", id)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
    }

    /// The member `id`.
    public var id: UUID {
        get { required("id") }
        set { assign("id", newValue) }
    }
}

/// The API's `FlowRunResult`.
public struct FlowRunResult: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(id: UUID, _ configure: (inout FlowRunResult) -> Void = { _ in }) {
        members = [:]
        members["input_type"] = "flow_run"
        assign("id", id)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
    }

    /// The member `id`.
    public var id: UUID {
        get { required("id") }
        set { assign("id", newValue) }
    }
}

/// Represents a parameter input to a task run.
public struct ParameterInput: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(name: String, _ configure: (inout ParameterInput) -> Void = { _ in }) {
        members = [:]
        members["input_type"] = "parameter"
        assign("name", name)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
    }

    /// The member `name`.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }
}

/// Represents constant input value to a task run.
public struct ConstantInput: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(type: String, _ configure: (inout ConstantInput) -> Void = { _ in }) {
        members = [:]
        members["input_type"] = "constant"
        assign("type", type)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("type", String.self, in: members)
    }

    /// The member `type`.
    public var type: String {
        get { required("type") }
        set { assign("type", newValue) }
    }
}

/// The origin of an input of a task run.
public enum TaskRunInput: JSONConvertible {
    /// The case that the API's `input_type` `task_run` marks.
    case taskRun(TaskRunResult)
    /// The case that the API's `input_type` `flow_run` marks.
    case flowRun(FlowRunResult)
    /// The case that the API's `input_type` `parameter` marks.
    case parameter(ParameterInput)
    /// The case that the API's `input_type` `constant` marks.
    case constant(ConstantInput)
    /// A value that this version does not know, as it is.
    case unknown(JSONValue)

    /// Reads a value. An unknown one is kept as it is.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        switch jsonValue["input_type"]?.stringValue {
        case "task_run": self = .taskRun(try TaskRunResult(jsonValue: jsonValue))
        case "flow_run": self = .flowRun(try FlowRunResult(jsonValue: jsonValue))
        case "parameter": self = .parameter(try ParameterInput(jsonValue: jsonValue))
        case "constant": self = .constant(try ConstantInput(jsonValue: jsonValue))
        default: self = .unknown(jsonValue)
        }
    }

    /// The value as JSON.
    public var jsonValue: JSONValue {
        switch self {
        case .taskRun(let value): value.jsonValue
        case .flowRun(let value): value.jsonValue
        case .parameter(let value): value.jsonValue
        case .constant(let value): value.jsonValue
        case .unknown(let value): value
        }
    }

    /// An unknown value.
    public static var jsonPlaceholder: TaskRunInput { .unknown(.null) }
}
