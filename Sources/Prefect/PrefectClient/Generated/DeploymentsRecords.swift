// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// The API's `DeploymentResponse`.
public struct Deployment: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("name", String.self, in: members)
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

    /// The name of the deployment.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// An optional version for the deployment.
    public var version: String? {
        get { optional("version") }
        set { assign("version", newValue) }
    }

    /// A description for the deployment.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// The flow id associated with the deployment.
    public var flowID: UUID {
        get { required("flow_id") }
        set { assign("flow_id", newValue) }
    }

    /// Whether or not the deployment is paused.
    public var paused: Bool {
        get { member("paused", default: false) }
        set { assign("paused", newValue) }
    }

    /// A list of schedules for the deployment.
    public var schedules: [DeploymentSchedule] {
        get { member("schedules", default: []) }
        set { assign("schedules", newValue) }
    }

    /// The member `concurrency_limit`.
    public var concurrencyLimit: Int? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// The global concurrency limit object for enforcing the maximum number of flow runs that can be active at once.
    public var globalConcurrencyLimit: GlobalConcurrencyLimit? {
        get { optional("global_concurrency_limit") }
        set { assign("global_concurrency_limit", newValue) }
    }

    /// The concurrency options for the deployment.
    public var concurrencyOptions: ConcurrencyOptions? {
        get { optional("concurrency_options") }
        set { assign("concurrency_options", newValue) }
    }

    /// Overrides to apply to the base infrastructure block at runtime.
    public var jobVariables: JSONObject {
        get { member("job_variables", default: [:]) }
        set { assign("job_variables", newValue) }
    }

    /// Parameters for flow runs scheduled by the deployment.
    public var parameters: JSONObject {
        get { member("parameters", default: [:]) }
        set { assign("parameters", newValue) }
    }

    /// A list of tags for the deployment.
    public var tags: [String] {
        get { member("tags", default: []) }
        set { assign("tags", newValue) }
    }

    /// A dictionary of key-value labels.
    public var labels: JSONObject {
        get { member("labels", default: [:]) }
        set { assign("labels", newValue) }
    }

    /// The work queue for the deployment.
    public var workQueueName: String? {
        get { optional("work_queue_name") }
        set { assign("work_queue_name", newValue) }
    }

    /// The id of the work pool queue to which this deployment is assigned.
    public var workQueueID: UUID? {
        get { optional("work_queue_id") }
        set { assign("work_queue_id", newValue) }
    }

    /// The last time the deployment was polled for status updates.
    public var lastPolled: Timestamp? {
        get { optional("last_polled") }
        set { assign("last_polled", newValue) }
    }

    /// The parameter schema of the flow, including defaults.
    public var parameterOpenAPISchema: JSONObject? {
        get { optional("parameter_openapi_schema") }
        set { assign("parameter_openapi_schema", newValue) }
    }

    /// The path to the working directory for the workflow, relative to remote storage or an absolute path.
    public var path: String? {
        get { optional("path") }
        set { assign("path", newValue) }
    }

    /// Pull steps for cloning and running this deployment.
    public var pullSteps: [JSONObject]? {
        get { optional("pull_steps") }
        set { assign("pull_steps", newValue) }
    }

    /// The path to the entrypoint for the workflow, relative to the `path`.
    public var entrypoint: String? {
        get { optional("entrypoint") }
        set { assign("entrypoint", newValue) }
    }

    /// The block document defining storage used for this flow.
    public var storageDocumentID: UUID? {
        get { optional("storage_document_id") }
        set { assign("storage_document_id", newValue) }
    }

    /// The block document defining infrastructure to use for flow runs.
    public var infrastructureDocumentID: UUID? {
        get { optional("infrastructure_document_id") }
        set { assign("infrastructure_document_id", newValue) }
    }

    /// Optional information about the creator of this deployment.
    public var createdBy: CreatedBy? {
        get { optional("created_by") }
        set { assign("created_by", newValue) }
    }

    /// Optional information about the updater of this deployment.
    public var updatedBy: UpdatedBy? {
        get { optional("updated_by") }
        set { assign("updated_by", newValue) }
    }

    /// The name of the deployment's work pool.
    public var workPoolName: String? {
        get { optional("work_pool_name") }
        set { assign("work_pool_name", newValue) }
    }

    /// Whether the deployment is ready to run flows.
    public var status: DeploymentStatus? {
        get { optional("status") }
        set { assign("status", newValue) }
    }

    /// Whether or not the deployment should enforce the parameter schema.
    public var enforceParameterSchema: Bool {
        get { member("enforce_parameter_schema", default: true) }
        set { assign("enforce_parameter_schema", newValue) }
    }

    /// The member `version_id`.
    public var versionID: UUID? {
        get { optional("version_id") }
        set { assign("version_id", newValue) }
    }

    /// The member `version_info`.
    public var versionInfo: VersionInfo? {
        get { optional("version_info") }
        set { assign("version_info", newValue) }
    }

    /// The member `branch`.
    public var branch: String? {
        get { optional("branch") }
        set { assign("branch", newValue) }
    }

    /// The member `base`.
    public var base: UUID? {
        get { optional("base") }
        set { assign("base", newValue) }
    }

    /// The member `root`.
    public var root: UUID? {
        get { optional("root") }
        set { assign("root", newValue) }
    }
}

/// Data used by the Prefect REST API to create a deployment.
public struct DeploymentCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(name: String, flowID: UUID, _ configure: (inout DeploymentCreate) -> Void = { _ in }) {
        members = [:]
        assign("name", name)
        assign("flow_id", flowID)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
        try require("flow_id", UUID.self, in: members)
    }

    /// The name of the deployment.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The ID of the flow associated with the deployment.
    public var flowID: UUID {
        get { required("flow_id") }
        set { assign("flow_id", newValue) }
    }

    /// Whether or not the deployment is paused.
    public var paused: Bool? {
        get { optional("paused") }
        set { assign("paused", newValue) }
    }

    /// A list of schedules for the deployment.
    public var schedules: [DeploymentScheduleCreate]? {
        get { optional("schedules") }
        set { assign("schedules", newValue) }
    }

    /// The deployment's concurrency limit.
    public var concurrencyLimit: Int? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// The deployment's concurrency options.
    public var concurrencyOptions: ConcurrencyOptions? {
        get { optional("concurrency_options") }
        set { assign("concurrency_options", newValue) }
    }

    /// The ID of the global concurrency limit to apply to the deployment.
    public var globalConcurrencyLimitID: UUID? {
        get { optional("global_concurrency_limit_id") }
        set { assign("global_concurrency_limit_id", newValue) }
    }

    /// Whether or not the deployment should enforce the parameter schema.
    public var enforceParameterSchema: Bool? {
        get { optional("enforce_parameter_schema") }
        set { assign("enforce_parameter_schema", newValue) }
    }

    /// The parameter schema of the flow, including defaults.
    public var parameterOpenAPISchema: JSONObject? {
        get { optional("parameter_openapi_schema") }
        set { assign("parameter_openapi_schema", newValue) }
    }

    /// Parameters for flow runs scheduled by the deployment.
    public var parameters: JSONObject? {
        get { optional("parameters") }
        set { assign("parameters", newValue) }
    }

    /// A list of deployment tags.
    public var tags: [String]? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }

    /// A dictionary of key-value labels.
    public var labels: JSONObject? {
        get { optional("labels") }
        set { assign("labels", newValue) }
    }

    /// The member `pull_steps`.
    public var pullSteps: [JSONObject]? {
        get { optional("pull_steps") }
        set { assign("pull_steps", newValue) }
    }

    /// The member `work_queue_name`.
    public var workQueueName: String? {
        get { optional("work_queue_name") }
        set { assign("work_queue_name", newValue) }
    }

    /// The name of the deployment's work pool.
    public var workPoolName: String? {
        get { optional("work_pool_name") }
        set { assign("work_pool_name", newValue) }
    }

    /// The member `storage_document_id`.
    public var storageDocumentID: UUID? {
        get { optional("storage_document_id") }
        set { assign("storage_document_id", newValue) }
    }

    /// The member `infrastructure_document_id`.
    public var infrastructureDocumentID: UUID? {
        get { optional("infrastructure_document_id") }
        set { assign("infrastructure_document_id", newValue) }
    }

    /// The member `description`.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// The member `path`.
    public var path: String? {
        get { optional("path") }
        set { assign("path", newValue) }
    }

    /// The member `version`.
    public var version: String? {
        get { optional("version") }
        set { assign("version", newValue) }
    }

    /// The member `entrypoint`.
    public var entrypoint: String? {
        get { optional("entrypoint") }
        set { assign("entrypoint", newValue) }
    }

    /// Overrides for the flow's infrastructure configuration.
    public var jobVariables: JSONObject? {
        get { optional("job_variables") }
        set { assign("job_variables", newValue) }
    }

    /// A description of this version of the deployment.
    public var versionInfo: VersionInfo? {
        get { optional("version_info") }
        set { assign("version_info", newValue) }
    }

    /// The member `branch`.
    public var branch: String? {
        get { optional("branch") }
        set { assign("branch", newValue) }
    }

    /// The member `base`.
    public var base: UUID? {
        get { optional("base") }
        set { assign("base", newValue) }
    }

    /// The member `root`.
    public var root: UUID? {
        get { optional("root") }
        set { assign("root", newValue) }
    }
}

/// Data used by the Prefect REST API to update a deployment.
public struct DeploymentUpdate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout DeploymentUpdate) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `version`.
    public var version: String? {
        get { optional("version") }
        set { assign("version", newValue) }
    }

    /// The member `description`.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// Whether or not the deployment is paused.
    public var paused: Bool? {
        get { optional("paused") }
        set { assign("paused", newValue) }
    }

    /// A list of schedules for the deployment.
    public var schedules: [DeploymentScheduleUpdate]? {
        get { optional("schedules") }
        set { assign("schedules", newValue) }
    }

    /// The deployment's concurrency limit.
    public var concurrencyLimit: Int? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// The deployment's concurrency options.
    public var concurrencyOptions: ConcurrencyOptions? {
        get { optional("concurrency_options") }
        set { assign("concurrency_options", newValue) }
    }

    /// The ID of the global concurrency limit to apply to the deployment.
    public var globalConcurrencyLimitID: UUID? {
        get { optional("global_concurrency_limit_id") }
        set { assign("global_concurrency_limit_id", newValue) }
    }

    /// Parameters for flow runs scheduled by the deployment.
    public var parameters: JSONObject? {
        get { optional("parameters") }
        set { assign("parameters", newValue) }
    }

    /// The parameter schema of the flow, including defaults.
    public var parameterOpenAPISchema: JSONObject? {
        get { optional("parameter_openapi_schema") }
        set { assign("parameter_openapi_schema", newValue) }
    }

    /// A list of deployment tags.
    public var tags: [String]? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }

    /// The member `work_queue_name`.
    public var workQueueName: String? {
        get { optional("work_queue_name") }
        set { assign("work_queue_name", newValue) }
    }

    /// The name of the deployment's work pool.
    public var workPoolName: String? {
        get { optional("work_pool_name") }
        set { assign("work_pool_name", newValue) }
    }

    /// The member `path`.
    public var path: String? {
        get { optional("path") }
        set { assign("path", newValue) }
    }

    /// Overrides for the flow's infrastructure configuration.
    public var jobVariables: JSONObject? {
        get { optional("job_variables") }
        set { assign("job_variables", newValue) }
    }

    /// The member `pull_steps`.
    public var pullSteps: [JSONObject]? {
        get { optional("pull_steps") }
        set { assign("pull_steps", newValue) }
    }

    /// The member `entrypoint`.
    public var entrypoint: String? {
        get { optional("entrypoint") }
        set { assign("entrypoint", newValue) }
    }

    /// The member `storage_document_id`.
    public var storageDocumentID: UUID? {
        get { optional("storage_document_id") }
        set { assign("storage_document_id", newValue) }
    }

    /// The member `infrastructure_document_id`.
    public var infrastructureDocumentID: UUID? {
        get { optional("infrastructure_document_id") }
        set { assign("infrastructure_document_id", newValue) }
    }

    /// Whether or not the deployment should enforce the parameter schema.
    public var enforceParameterSchema: Bool? {
        get { optional("enforce_parameter_schema") }
        set { assign("enforce_parameter_schema", newValue) }
    }

    /// A description of this version of the deployment.
    public var versionInfo: VersionInfo? {
        get { optional("version_info") }
        set { assign("version_info", newValue) }
    }
}

/// Data used by the Prefect REST API to create a flow run from a deployment.
public struct DeploymentFlowRunCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout DeploymentFlowRunCreate) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
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

    /// The member `parameters`.
    public var parameters: JSONObject? {
        get { optional("parameters") }
        set { assign("parameters", newValue) }
    }

    /// Whether or not to enforce the parameter schema on this run.
    public var enforceParameterSchema: Bool? {
        get { optional("enforce_parameter_schema") }
        set { assign("enforce_parameter_schema", newValue) }
    }

    /// The member `context`.
    public var context: JSONObject? {
        get { optional("context") }
        set { assign("context", newValue) }
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

    /// An optional idempotency key.
    public var idempotencyKey: String? {
        get { optional("idempotency_key") }
        set { assign("idempotency_key", newValue) }
    }

    /// A dictionary of key-value labels.
    public var labels: JSONObject? {
        get { optional("labels") }
        set { assign("labels", newValue) }
    }

    /// The member `parent_task_run_id`.
    public var parentTaskRunID: UUID? {
        get { optional("parent_task_run_id") }
        set { assign("parent_task_run_id", newValue) }
    }

    /// The member `work_queue_name`.
    public var workQueueName: String? {
        get { optional("work_queue_name") }
        set { assign("work_queue_name", newValue) }
    }

    /// The member `job_variables`.
    public var jobVariables: JSONObject? {
        get { optional("job_variables") }
        set { assign("job_variables", newValue) }
    }
}

/// The API's `DeploymentBranch`.
public struct DeploymentBranch: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(branch: String, _ configure: (inout DeploymentBranch) -> Void = { _ in }) {
        members = [:]
        assign("branch", branch)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("branch", String.self, in: members)
    }

    /// The member `branch`.
    public var branch: String {
        get { required("branch") }
        set { assign("branch", newValue) }
    }

    /// The member `options`.
    public var options: DeploymentBranchingOptions? {
        get { optional("options") }
        set { assign("options", newValue) }
    }

    /// The member `overrides`.
    public var overrides: DeploymentUpdate? {
        get { optional("overrides") }
        set { assign("overrides", newValue) }
    }
}

/// The API's `DeploymentBranchingOptions`.
public struct DeploymentBranchingOptions: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout DeploymentBranchingOptions) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `schedule_handling`.
    public var scheduleHandling: BranchingScheduleHandling? {
        get { optional("schedule_handling") }
        set { assign("schedule_handling", newValue) }
    }
}

/// The API's `DeploymentSchedule`.
public struct DeploymentSchedule: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("schedule", Schedule.self, in: members)
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

    /// The deployment id associated with this schedule.
    public var deploymentID: UUID? {
        get { optional("deployment_id") }
        set { assign("deployment_id", newValue) }
    }

    /// The schedule for the deployment.
    public var schedule: Schedule {
        get { required("schedule") }
        set { assign("schedule", newValue) }
    }

    /// Whether or not the schedule is active.
    public var active: Bool {
        get { member("active", default: true) }
        set { assign("active", newValue) }
    }

    /// The maximum number of scheduled runs for the schedule.
    public var maxScheduledRuns: Int? {
        get { optional("max_scheduled_runs") }
        set { assign("max_scheduled_runs", newValue) }
    }

    /// A dictionary of parameter value overrides.
    public var parameters: JSONObject {
        get { member("parameters", default: [:]) }
        set { assign("parameters", newValue) }
    }

    /// A unique slug for the schedule.
    public var slug: String? {
        get { optional("slug") }
        set { assign("slug", newValue) }
    }
}

/// The API's `DeploymentScheduleCreate`.
public struct DeploymentScheduleCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(schedule: Schedule, _ configure: (inout DeploymentScheduleCreate) -> Void = { _ in }) {
        members = [:]
        assign("schedule", schedule)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("schedule", Schedule.self, in: members)
    }

    /// Whether or not the schedule is active.
    public var active: Bool? {
        get { optional("active") }
        set { assign("active", newValue) }
    }

    /// The schedule for the deployment.
    public var schedule: Schedule {
        get { required("schedule") }
        set { assign("schedule", newValue) }
    }

    /// The maximum number of scheduled runs for the schedule.
    public var maxScheduledRuns: Int? {
        get { optional("max_scheduled_runs") }
        set { assign("max_scheduled_runs", newValue) }
    }

    /// A dictionary of parameter value overrides.
    public var parameters: JSONObject? {
        get { optional("parameters") }
        set { assign("parameters", newValue) }
    }

    /// A unique identifier for the schedule.
    public var slug: String? {
        get { optional("slug") }
        set { assign("slug", newValue) }
    }

    /// The slug of an existing schedule that this schedule replaces.
    public var replaces: String? {
        get { optional("replaces") }
        set { assign("replaces", newValue) }
    }
}

/// The API's `DeploymentScheduleUpdate`.
public struct DeploymentScheduleUpdate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout DeploymentScheduleUpdate) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// Whether or not the schedule is active.
    public var active: Bool? {
        get { optional("active") }
        set { assign("active", newValue) }
    }

    /// The schedule for the deployment.
    public var schedule: Schedule? {
        get { optional("schedule") }
        set { assign("schedule", newValue) }
    }

    /// The maximum number of scheduled runs for the schedule.
    public var maxScheduledRuns: Int? {
        get { optional("max_scheduled_runs") }
        set { assign("max_scheduled_runs", newValue) }
    }

    /// A dictionary of parameter value overrides.
    public var parameters: JSONObject? {
        get { optional("parameters") }
        set { assign("parameters", newValue) }
    }

    /// A unique identifier for the schedule.
    public var slug: String? {
        get { optional("slug") }
        set { assign("slug", newValue) }
    }

    /// The slug of an existing schedule that this schedule replaces.
    public var replaces: String? {
        get { optional("replaces") }
        set { assign("replaces", newValue) }
    }
}

/// The API's `IntervalSchedule`.
public struct IntervalSchedule: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(interval: Duration, _ configure: (inout IntervalSchedule) -> Void = { _ in }) {
        members = [:]
        assign("interval", interval)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("interval", Duration.self, in: members)
    }

    /// The member `interval`.
    public var interval: Duration {
        get { required("interval") }
        set { assign("interval", newValue) }
    }

    /// The member `anchor_date`.
    public var anchorDate: Timestamp? {
        get { optional("anchor_date") }
        set { assign("anchor_date", newValue) }
    }

    /// The member `timezone`.
    public var timezone: String? {
        get { optional("timezone") }
        set { assign("timezone", newValue) }
    }
}

/// Cron schedule NOTE: If the timezone is a DST-observing one, then the schedule will adjust itself appropriately.
public struct CronSchedule: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(cron: String, _ configure: (inout CronSchedule) -> Void = { _ in }) {
        members = [:]
        assign("cron", cron)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("cron", String.self, in: members)
    }

    /// The member `cron`.
    public var cron: String {
        get { required("cron") }
        set { assign("cron", newValue) }
    }

    /// The member `timezone`.
    public var timezone: String? {
        get { optional("timezone") }
        set { assign("timezone", newValue) }
    }

    /// Control croniter behavior for handling day and day_of_week entries.
    public var dayOr: Bool? {
        get { optional("day_or") }
        set { assign("day_or", newValue) }
    }
}

/// The API's `RRuleSchedule`.
public struct RRuleSchedule: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(rrule: String, _ configure: (inout RRuleSchedule) -> Void = { _ in }) {
        members = [:]
        assign("rrule", rrule)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("rrule", String.self, in: members)
    }

    /// The member `rrule`.
    public var rrule: String {
        get { required("rrule") }
        set { assign("rrule", newValue) }
    }

    /// The member `timezone`.
    public var timezone: String? {
        get { optional("timezone") }
        set { assign("timezone", newValue) }
    }
}

/// Class for storing the concurrency config in database.
public struct ConcurrencyOptions: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(collisionStrategy: ConcurrencyLimitStrategy, _ configure: (inout ConcurrencyOptions) -> Void = { _ in })
    {
        members = [:]
        assign("collision_strategy", collisionStrategy)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("collision_strategy", ConcurrencyLimitStrategy.self, in: members)
    }

    /// The member `collision_strategy`.
    public var collisionStrategy: ConcurrencyLimitStrategy {
        get { required("collision_strategy") }
        set { assign("collision_strategy", newValue) }
    }

    /// Grace period in seconds for infrastructure to start before concurrency slots are revoked.
    public var gracePeriodSeconds: Int? {
        get { optional("grace_period_seconds") }
        set { assign("grace_period_seconds", newValue) }
    }
}

/// The API's `VersionInfo`.
public struct VersionInfo: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(type: String, version: String, _ configure: (inout VersionInfo) -> Void = { _ in }) {
        members = [:]
        assign("type", type)
        assign("version", version)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("type", String.self, in: members)
        try require("version", String.self, in: members)
    }

    /// The type of version info.
    public var type: String {
        get { required("type") }
        set { assign("type", newValue) }
    }

    /// The version of the deployment.
    public var version: String {
        get { required("version") }
        set { assign("version", newValue) }
    }
}

/// The schedule of a deployment.
public enum Schedule: JSONConvertible {
    /// The case that the API's member `interval` marks.
    case interval(IntervalSchedule)
    /// The case that the API's member `cron` marks.
    case cron(CronSchedule)
    /// The case that the API's member `rrule` marks.
    case rrule(RRuleSchedule)
    /// A value that this version does not know, as it is.
    case unknown(JSONValue)

    /// Reads a value. An unknown one is kept as it is.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        if jsonValue["interval"] != nil {
            self = .interval(try IntervalSchedule(jsonValue: jsonValue))
            return
        }
        if jsonValue["cron"] != nil {
            self = .cron(try CronSchedule(jsonValue: jsonValue))
            return
        }
        if jsonValue["rrule"] != nil {
            self = .rrule(try RRuleSchedule(jsonValue: jsonValue))
            return
        }
        self = .unknown(jsonValue)
    }

    /// The value as JSON.
    public var jsonValue: JSONValue {
        switch self {
        case .interval(let value): value.jsonValue
        case .cron(let value): value.jsonValue
        case .rrule(let value): value.jsonValue
        case .unknown(let value): value
        }
    }

    /// An unknown value.
    public static var jsonPlaceholder: Schedule { .unknown(.null) }
}
