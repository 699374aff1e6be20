// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// The API's `FlowRunResponse`.
public struct FlowRun: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("flow_id", UUID.self, in: members)
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

    /// The name of the flow run.
    public var name: String {
        get { member("name", default: "") }
        set { assign("name", newValue) }
    }

    /// The id of the flow being run.
    public var flowID: UUID {
        get { required("flow_id") }
        set { assign("flow_id", newValue) }
    }

    /// The id of the flow run's current state.
    public var stateID: UUID? {
        get { optional("state_id") }
        set { assign("state_id", newValue) }
    }

    /// The id of the deployment associated with this flow run, if available.
    public var deploymentID: UUID? {
        get { optional("deployment_id") }
        set { assign("deployment_id", newValue) }
    }

    /// The version of the deployment associated with this flow run.
    public var deploymentVersion: String? {
        get { optional("deployment_version") }
        set { assign("deployment_version", newValue) }
    }

    /// The id of the run's work pool queue.
    public var workQueueID: UUID? {
        get { optional("work_queue_id") }
        set { assign("work_queue_id", newValue) }
    }

    /// The work queue that handled this flow run.
    public var workQueueName: String? {
        get { optional("work_queue_name") }
        set { assign("work_queue_name", newValue) }
    }

    /// The version of the flow executed in this flow run.
    public var flowVersion: String? {
        get { optional("flow_version") }
        set { assign("flow_version", newValue) }
    }

    /// Parameters for the flow run.
    public var parameters: JSONObject {
        get { member("parameters", default: [:]) }
        set { assign("parameters", newValue) }
    }

    /// An optional idempotency key for the flow run.
    public var idempotencyKey: String? {
        get { optional("idempotency_key") }
        set { assign("idempotency_key", newValue) }
    }

    /// Additional context for the flow run.
    public var context: JSONObject {
        get { member("context", default: [:]) }
        set { assign("context", newValue) }
    }

    /// The member `empirical_policy`.
    public var empiricalPolicy: FlowRunPolicy {
        get { member("empirical_policy", default: FlowRunPolicy(unchecked: [:])) }
        set { assign("empirical_policy", newValue) }
    }

    /// A list of tags on the flow run.
    public var tags: [String] {
        get { member("tags", default: []) }
        set { assign("tags", newValue) }
    }

    /// A dictionary of key-value labels.
    public var labels: JSONObject {
        get { member("labels", default: [:]) }
        set { assign("labels", newValue) }
    }

    /// If the flow run is a subflow, the id of the 'dummy' task in the parent flow used to track subflow state.
    public var parentTaskRunID: UUID? {
        get { optional("parent_task_run_id") }
        set { assign("parent_task_run_id", newValue) }
    }

    /// The type of the current flow run state.
    public var stateType: StateType? {
        get { optional("state_type") }
        set { assign("state_type", newValue) }
    }

    /// The name of the current flow run state.
    public var stateName: String? {
        get { optional("state_name") }
        set { assign("state_name", newValue) }
    }

    /// The number of times the flow run was executed.
    public var runCount: Int {
        get { member("run_count", default: 0) }
        set { assign("run_count", newValue) }
    }

    /// The flow run's expected start time.
    public var expectedStartTime: Timestamp? {
        get { optional("expected_start_time") }
        set { assign("expected_start_time", newValue) }
    }

    /// The next time the flow run is scheduled to start.
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

    /// A real-time estimate of the total run time.
    public var estimatedRunTime: Duration {
        get { member("estimated_run_time", default: .seconds(0)) }
        set { assign("estimated_run_time", newValue) }
    }

    /// The difference between actual and expected start time.
    public var estimatedStartTimeDelta: Duration {
        get { member("estimated_start_time_delta", default: .seconds(0)) }
        set { assign("estimated_start_time_delta", newValue) }
    }

    /// Whether or not the flow run was automatically scheduled.
    public var autoScheduled: Bool {
        get { member("auto_scheduled", default: false) }
        set { assign("auto_scheduled", newValue) }
    }

    /// The block document defining infrastructure to use this flow run.
    public var infrastructureDocumentID: UUID? {
        get { optional("infrastructure_document_id") }
        set { assign("infrastructure_document_id", newValue) }
    }

    /// The id of the flow run as returned by an infrastructure block.
    public var infrastructurePID: String? {
        get { optional("infrastructure_pid") }
        set { assign("infrastructure_pid", newValue) }
    }

    /// Optional information about the creator of this flow run.
    public var createdBy: CreatedBy? {
        get { optional("created_by") }
        set { assign("created_by", newValue) }
    }

    /// The id of the flow run's work pool.
    public var workPoolID: UUID? {
        get { optional("work_pool_id") }
        set { assign("work_pool_id", newValue) }
    }

    /// The name of the flow run's work pool.
    public var workPoolName: String? {
        get { optional("work_pool_name") }
        set { assign("work_pool_name", newValue) }
    }

    /// The current state of the flow run.
    public var state: State? {
        get { optional("state") }
        set { assign("state", newValue) }
    }

    /// Variables used as overrides in the base job template.
    public var jobVariables: JSONObject? {
        get { optional("job_variables") }
        set { assign("job_variables", newValue) }
    }
}

/// Data used by the Prefect REST API to create a flow run.
public struct FlowRunCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(flowID: UUID, _ configure: (inout FlowRunCreate) -> Void = { _ in }) {
        members = [:]
        assign("flow_id", flowID)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("flow_id", UUID.self, in: members)
    }

    /// The state of the flow run to create.
    public var state: StateCreate? {
        get { optional("state") }
        set { assign("state", newValue) }
    }

    /// The name of the flow run.
    public var name: String? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// The id of the flow being run.
    public var flowID: UUID {
        get { required("flow_id") }
        set { assign("flow_id", newValue) }
    }

    /// The version of the flow being run.
    public var flowVersion: String? {
        get { optional("flow_version") }
        set { assign("flow_version", newValue) }
    }

    /// The member `parameters`.
    public var parameters: JSONObject? {
        get { optional("parameters") }
        set { assign("parameters", newValue) }
    }

    /// The context of the flow run.
    public var context: JSONObject? {
        get { optional("context") }
        set { assign("context", newValue) }
    }

    /// The member `parent_task_run_id`.
    public var parentTaskRunID: UUID? {
        get { optional("parent_task_run_id") }
        set { assign("parent_task_run_id", newValue) }
    }

    /// The member `infrastructure_document_id`.
    public var infrastructureDocumentID: UUID? {
        get { optional("infrastructure_document_id") }
        set { assign("infrastructure_document_id", newValue) }
    }

    /// The empirical policy for the flow run.
    public var empiricalPolicy: FlowRunPolicy? {
        get { optional("empirical_policy") }
        set { assign("empirical_policy", newValue) }
    }

    /// A list of tags for the flow run.
    public var tags: [String]? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }

    /// A dictionary of key-value labels.
    public var labels: JSONObject? {
        get { optional("labels") }
        set { assign("labels", newValue) }
    }

    /// An optional idempotency key.
    public var idempotencyKey: String? {
        get { optional("idempotency_key") }
        set { assign("idempotency_key", newValue) }
    }

    /// The name of the work pool to run the flow run in.
    public var workPoolName: String? {
        get { optional("work_pool_name") }
        set { assign("work_pool_name", newValue) }
    }

    /// The name of the work queue to place the flow run in.
    public var workQueueName: String? {
        get { optional("work_queue_name") }
        set { assign("work_queue_name", newValue) }
    }

    /// The job variables to use when setting up flow run infrastructure.
    public var jobVariables: JSONObject? {
        get { optional("job_variables") }
        set { assign("job_variables", newValue) }
    }

    /// The member `deployment_id`.
    public var deploymentID: UUID? {
        get { optional("deployment_id") }
        set { assign("deployment_id", newValue) }
    }
}

/// Data used by the Prefect REST API to update a flow run.
public struct FlowRunUpdate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout FlowRunUpdate) -> Void = { _ in }) {
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

    /// The member `flow_version`.
    public var flowVersion: String? {
        get { optional("flow_version") }
        set { assign("flow_version", newValue) }
    }

    /// The member `parameters`.
    public var parameters: JSONObject? {
        get { optional("parameters") }
        set { assign("parameters", newValue) }
    }

    /// The member `empirical_policy`.
    public var empiricalPolicy: FlowRunPolicy? {
        get { optional("empirical_policy") }
        set { assign("empirical_policy", newValue) }
    }

    /// The member `tags`.
    public var tags: [String]? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }

    /// The member `infrastructure_pid`.
    public var infrastructurePID: String? {
        get { optional("infrastructure_pid") }
        set { assign("infrastructure_pid", newValue) }
    }

    /// The member `job_variables`.
    public var jobVariables: JSONObject? {
        get { optional("job_variables") }
        set { assign("job_variables", newValue) }
    }
}

/// The API's `FlowRunPolicy`.
public struct FlowRunPolicy: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout FlowRunPolicy) -> Void = { _ in }) {
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

    /// The delay time between retries, in seconds.
    public var retryDelay: Int? {
        get { optional("retry_delay") }
        set { assign("retry_delay", newValue) }
    }

    /// Tracks pauses this run has observed.
    public var pauseKeys: [String]? {
        get { optional("pause_keys") }
        set { assign("pause_keys", newValue) }
    }

    /// Indicates if this run is resuming from a pause.
    public var resuming: Bool? {
        get { optional("resuming") }
        set { assign("resuming", newValue) }
    }

    /// The type of retry this run is undergoing.
    public var retryType: RetryType? {
        get { optional("retry_type") }
        set { assign("retry_type", newValue) }
    }
}

/// The API's `CreatedBy`.
public struct CreatedBy: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout CreatedBy) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The id of the creator of the object.
    public var id: UUID? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// The type of the creator of the object.
    public var type: String? {
        get { optional("type") }
        set { assign("type", newValue) }
    }

    /// The display value for the creator.
    public var displayValue: String? {
        get { optional("display_value") }
        set { assign("display_value", newValue) }
    }
}

/// The API's `UpdatedBy`.
public struct UpdatedBy: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout UpdatedBy) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The id of the updater of the object.
    public var id: UUID? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// The type of the updater of the object.
    public var type: String? {
        get { optional("type") }
        set { assign("type", newValue) }
    }

    /// The display value for the updater.
    public var displayValue: String? {
        get { optional("display_value") }
        set { assign("display_value", newValue) }
    }
}

/// The API's `FlowRunInput`.
public struct FlowRunInput: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("flow_run_id", UUID.self, in: members)
        try require("key", String.self, in: members)
        try require("value", String.self, in: members)
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

    /// The flow run ID associated with the input.
    public var flowRunID: UUID {
        get { required("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }

    /// The key of the input.
    public var key: String {
        get { required("key") }
        set { assign("key", newValue) }
    }

    /// The value of the input.
    public var value: String {
        get { required("value") }
        set { assign("value", newValue) }
    }

    /// The sender of the input.
    public var sender: String? {
        get { optional("sender") }
        set { assign("sender", newValue) }
    }
}
