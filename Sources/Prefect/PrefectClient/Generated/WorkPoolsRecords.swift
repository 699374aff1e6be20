// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// The API's `WorkPoolResponse`.
public struct WorkPool: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("name", String.self, in: members)
        try require("type", String.self, in: members)
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

    /// The name of the work pool.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// A description of the work pool.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// The work pool type.
    public var type: String {
        get { required("type") }
        set { assign("type", newValue) }
    }

    /// The work pool's base job template.
    public var baseJobTemplate: JSONObject {
        get { member("base_job_template", default: [:]) }
        set { assign("base_job_template", newValue) }
    }

    /// Pausing the work pool stops the delivery of all work.
    public var isPaused: Bool {
        get { member("is_paused", default: false) }
        set { assign("is_paused", newValue) }
    }

    /// A concurrency limit for the work pool.
    public var concurrencyLimit: Int? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// The current status of the work pool.
    public var status: WorkPoolStatus? {
        get { optional("status") }
        set { assign("status", newValue) }
    }

    /// The id of the pool's default queue.
    public var defaultQueueID: UUID? {
        get { optional("default_queue_id") }
        set { assign("default_queue_id", newValue) }
    }

    /// The storage configuration for the work pool.
    public var storageConfiguration: WorkPoolStorageConfiguration {
        get { member("storage_configuration", default: WorkPoolStorageConfiguration(unchecked: [:])) }
        set { assign("storage_configuration", newValue) }
    }

    /// The number of concurrency slots occupied by pending or running flow runs.
    public var activeSlots: Int? {
        get { optional("active_slots") }
        set { assign("active_slots", newValue) }
    }
}

/// Data used by the Prefect REST API to create a work pool.
public struct WorkPoolCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(name: String, _ configure: (inout WorkPoolCreate) -> Void = { _ in }) {
        members = [:]
        assign("name", name)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
    }

    /// The name of the work pool.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The work pool description.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// The work pool type.
    public var type: String? {
        get { optional("type") }
        set { assign("type", newValue) }
    }

    /// The work pool's base job template.
    public var baseJobTemplate: JSONObject? {
        get { optional("base_job_template") }
        set { assign("base_job_template", newValue) }
    }

    /// Pausing the work pool stops the delivery of all work.
    public var isPaused: Bool? {
        get { optional("is_paused") }
        set { assign("is_paused", newValue) }
    }

    /// A concurrency limit for the work pool.
    public var concurrencyLimit: Int? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// The storage configuration for the work pool.
    public var storageConfiguration: WorkPoolStorageConfiguration? {
        get { optional("storage_configuration") }
        set { assign("storage_configuration", newValue) }
    }
}

/// Data used by the Prefect REST API to update a work pool.
public struct WorkPoolUpdate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout WorkPoolUpdate) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `description`.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// The member `is_paused`.
    public var isPaused: Bool? {
        get { optional("is_paused") }
        set { assign("is_paused", newValue) }
    }

    /// The member `base_job_template`.
    public var baseJobTemplate: JSONObject? {
        get { optional("base_job_template") }
        set { assign("base_job_template", newValue) }
    }

    /// The member `concurrency_limit`.
    public var concurrencyLimit: Int? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// The storage configuration for the work pool.
    public var storageConfiguration: WorkPoolStorageConfiguration? {
        get { optional("storage_configuration") }
        set { assign("storage_configuration", newValue) }
    }
}

/// A representation of a work pool's storage configuration.
public struct WorkPoolStorageConfiguration: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout WorkPoolStorageConfiguration) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The step to use for uploading bundles to storage.
    public var bundleUploadStep: JSONObject? {
        get { optional("bundle_upload_step") }
        set { assign("bundle_upload_step", newValue) }
    }

    /// The step to use for executing bundles.
    public var bundleExecutionStep: JSONObject? {
        get { optional("bundle_execution_step") }
        set { assign("bundle_execution_step", newValue) }
    }

    /// The block document ID of the default result storage block.
    public var defaultResultStorageBlockID: UUID? {
        get { optional("default_result_storage_block_id") }
        set { assign("default_result_storage_block_id", newValue) }
    }
}

/// Paginated pool-level concurrency status with per-queue breakdown.
public struct WorkPoolConcurrencyStatus: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("active_slots", Int.self, in: members)
        try require("count", Int.self, in: members)
        try require("limit", Int.self, in: members)
        try require("pages", Int.self, in: members)
        try require("page", Int.self, in: members)
    }

    /// The member `active_slots`.
    public var activeSlots: Int {
        get { required("active_slots") }
        set { assign("active_slots", newValue) }
    }

    /// The member `concurrency_limit`.
    public var concurrencyLimit: Int? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// The member `queues`.
    public var queues: [WorkQueueConcurrencyStatusDetail] {
        get { member("queues", default: []) }
        set { assign("queues", newValue) }
    }

    /// Total number of queues.
    public var count: Int {
        get { required("count") }
        set { assign("count", newValue) }
    }

    /// The member `limit`.
    public var limit: Int {
        get { required("limit") }
        set { assign("limit", newValue) }
    }

    /// Total number of pages.
    public var pages: Int {
        get { required("pages") }
        set { assign("pages", newValue) }
    }

    /// Current page number (1-indexed).
    public var page: Int {
        get { required("page") }
        set { assign("page", newValue) }
    }
}

/// The API's `WorkQueueResponse`.
public struct WorkQueue: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("name", String.self, in: members)
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

    /// The name of the work queue.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// An optional description for the work queue.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// Whether or not the work queue is paused.
    public var isPaused: Bool {
        get { member("is_paused", default: false) }
        set { assign("is_paused", newValue) }
    }

    /// An optional concurrency limit for the work queue.
    public var concurrencyLimit: Int? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// The queue's priority.
    public var priority: Int {
        get { member("priority", default: 1) }
        set { assign("priority", newValue) }
    }

    /// The work pool with which the queue is associated.
    public var workPoolID: UUID? {
        get { optional("work_pool_id") }
        set { assign("work_pool_id", newValue) }
    }

    /// The member `filter`.
    public var filter: QueueFilter? {
        get { optional("filter") }
        set { assign("filter", newValue) }
    }

    /// The last time an agent polled this queue for work.
    public var lastPolled: Timestamp? {
        get { optional("last_polled") }
        set { assign("last_polled", newValue) }
    }

    /// The name of the work pool the work pool resides within.
    public var workPoolName: String? {
        get { optional("work_pool_name") }
        set { assign("work_pool_name", newValue) }
    }

    /// The queue status.
    public var status: WorkQueueStatus? {
        get { optional("status") }
        set { assign("status", newValue) }
    }

    /// The number of concurrency slots currently in use.
    public var activeSlots: Int? {
        get { optional("active_slots") }
        set { assign("active_slots", newValue) }
    }
}

/// Data used by the Prefect REST API to create a work queue.
public struct WorkQueueCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(name: String, _ configure: (inout WorkQueueCreate) -> Void = { _ in }) {
        members = [:]
        assign("name", name)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
    }

    /// The name of the work queue.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// An optional description for the work queue.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// Whether or not the work queue is paused.
    public var isPaused: Bool? {
        get { optional("is_paused") }
        set { assign("is_paused", newValue) }
    }

    /// The work queue's concurrency limit.
    public var concurrencyLimit: Int? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// The queue's priority.
    public var priority: Int? {
        get { optional("priority") }
        set { assign("priority", newValue) }
    }

    /// The member `filter`.
    public var filter: QueueFilter? {
        get { optional("filter") }
        set { assign("filter", newValue) }
    }
}

/// Data used by the Prefect REST API to update a work queue.
public struct WorkQueueUpdate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout WorkQueueUpdate) -> Void = { _ in }) {
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

    /// The member `description`.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// Whether or not the work queue is paused.
    public var isPaused: Bool? {
        get { optional("is_paused") }
        set { assign("is_paused", newValue) }
    }

    /// The member `concurrency_limit`.
    public var concurrencyLimit: Int? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// The member `priority`.
    public var priority: Int? {
        get { optional("priority") }
        set { assign("priority", newValue) }
    }

    /// The member `last_polled`.
    public var lastPolled: Timestamp? {
        get { optional("last_polled") }
        set { assign("last_polled", newValue) }
    }

    /// The member `filter`.
    public var filter: QueueFilter? {
        get { optional("filter") }
        set { assign("filter", newValue) }
    }
}

/// Filter criteria definition for a work queue.
public struct QueueFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout QueueFilter) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// Only include flow runs with these tags in the work queue.
    public var tags: [String]? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }

    /// Only include flow runs from these deployments in the work queue.
    public var deploymentIDs: [UUID]? {
        get { optional("deployment_ids") }
        set { assign("deployment_ids", newValue) }
    }
}

/// The API's `WorkQueueStatusDetail`.
public struct WorkQueueStatusDetail: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("healthy", Bool.self, in: members)
        try require("health_check_policy", WorkQueueHealthPolicy.self, in: members)
    }

    /// Whether or not the work queue is healthy.
    public var healthy: Bool {
        get { required("healthy") }
        set { assign("healthy", newValue) }
    }

    /// The number of late flow runs in the work queue.
    public var lateRunsCount: Int {
        get { member("late_runs_count", default: 0) }
        set { assign("late_runs_count", newValue) }
    }

    /// The last time an agent polled this queue for work.
    public var lastPolled: Timestamp? {
        get { optional("last_polled") }
        set { assign("last_polled", newValue) }
    }

    /// The policy used to determine whether or not the work queue is healthy.
    public var healthCheckPolicy: WorkQueueHealthPolicy {
        get { required("health_check_policy") }
        set { assign("health_check_policy", newValue) }
    }
}

/// The API's `WorkQueueHealthPolicy`.
public struct WorkQueueHealthPolicy: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The maximum number of late runs in the work queue before it is deemed unhealthy.
    public var maximumLateRuns: Int? {
        get { optional("maximum_late_runs") }
        set { assign("maximum_late_runs", newValue) }
    }

    /// The maximum number of time in seconds elapsed since work queue has been polled before it is deemed unhealthy.
    public var maximumSecondsSinceLastPolled: Int? {
        get { optional("maximum_seconds_since_last_polled") }
        set { assign("maximum_seconds_since_last_polled", newValue) }
    }
}

/// Paginated queue-level concurrency status with flow run details.
public struct WorkQueueConcurrencyStatus: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("active_slots", Int.self, in: members)
        try require("count", Int.self, in: members)
        try require("limit", Int.self, in: members)
        try require("pages", Int.self, in: members)
        try require("page", Int.self, in: members)
    }

    /// The member `active_slots`.
    public var activeSlots: Int {
        get { required("active_slots") }
        set { assign("active_slots", newValue) }
    }

    /// The member `concurrency_limit`.
    public var concurrencyLimit: Int? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// The member `flow_runs`.
    public var flowRuns: [FlowRunSlotSummary] {
        get { member("flow_runs", default: []) }
        set { assign("flow_runs", newValue) }
    }

    /// Total number of slot-holding flow runs.
    public var count: Int {
        get { required("count") }
        set { assign("count", newValue) }
    }

    /// The member `limit`.
    public var limit: Int {
        get { required("limit") }
        set { assign("limit", newValue) }
    }

    /// Total number of pages.
    public var pages: Int {
        get { required("pages") }
        set { assign("pages", newValue) }
    }

    /// Current page number (1-indexed).
    public var page: Int {
        get { required("page") }
        set { assign("page", newValue) }
    }
}

/// Per-queue concurrency status with flow run details.
public struct WorkQueueConcurrencyStatusDetail: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("queue_id", UUID.self, in: members)
        try require("queue_name", String.self, in: members)
        try require("active_slots", Int.self, in: members)
    }

    /// The member `queue_id`.
    public var queueID: UUID {
        get { required("queue_id") }
        set { assign("queue_id", newValue) }
    }

    /// The member `queue_name`.
    public var queueName: String {
        get { required("queue_name") }
        set { assign("queue_name", newValue) }
    }

    /// The member `active_slots`.
    public var activeSlots: Int {
        get { required("active_slots") }
        set { assign("active_slots", newValue) }
    }

    /// The member `concurrency_limit`.
    public var concurrencyLimit: Int? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// The member `flow_runs`.
    public var flowRuns: [FlowRunSlotSummary] {
        get { member("flow_runs", default: []) }
        set { assign("flow_runs", newValue) }
    }

    /// Total flow run count for this queue (may differ from len(flow_runs) when flow_run_limit is applied).
    public var flowRunCount: Int? {
        get { optional("flow_run_count") }
        set { assign("flow_run_count", newValue) }
    }
}

/// Summary of a flow run occupying a concurrency slot.
public struct FlowRunSlotSummary: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("name", String.self, in: members)
    }

    /// The member `id`.
    public var id: UUID {
        get { required("id") }
        set { assign("id", newValue) }
    }

    /// The member `name`.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The member `state_type`.
    public var stateType: StateType? {
        get { optional("state_type") }
        set { assign("state_type", newValue) }
    }

    /// The member `state_name`.
    public var stateName: String? {
        get { optional("state_name") }
        set { assign("state_name", newValue) }
    }

    /// The member `start_time`.
    public var startTime: Timestamp? {
        get { optional("start_time") }
        set { assign("start_time", newValue) }
    }

    /// The member `state_timestamp`.
    public var stateTimestamp: Timestamp? {
        get { optional("state_timestamp") }
        set { assign("state_timestamp", newValue) }
    }

    /// The member `time_in_current_state`.
    public var timeInCurrentState: Duration? {
        get { optional("time_in_current_state") }
        set { assign("time_in_current_state", newValue) }
    }
}

/// The API's `WorkerResponse`.
public struct Worker: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("name", String.self, in: members)
        try require("work_pool_id", UUID.self, in: members)
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

    /// The name of the worker.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The work pool with which the queue is associated.
    public var workPoolID: UUID {
        get { required("work_pool_id") }
        set { assign("work_pool_id", newValue) }
    }

    /// The last time the worker process sent a heartbeat.
    public var lastHeartbeatTime: Timestamp? {
        get { optional("last_heartbeat_time") }
        set { assign("last_heartbeat_time", newValue) }
    }

    /// The number of seconds to expect between heartbeats sent by the worker.
    public var heartbeatIntervalSeconds: Int? {
        get { optional("heartbeat_interval_seconds") }
        set { assign("heartbeat_interval_seconds", newValue) }
    }

    /// Current status of the worker.
    public var status: WorkerStatus {
        get { member("status", default: "OFFLINE") }
        set { assign("status", newValue) }
    }
}

/// The API's `WorkerFlowRunResponse`.
public struct WorkerFlowRunResponse: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("work_pool_id", UUID.self, in: members)
        try require("work_queue_id", UUID.self, in: members)
        try require("flow_run", FlowRun.self, in: members)
    }

    /// The member `work_pool_id`.
    public var workPoolID: UUID {
        get { required("work_pool_id") }
        set { assign("work_pool_id", newValue) }
    }

    /// The member `work_queue_id`.
    public var workQueueID: UUID {
        get { required("work_queue_id") }
        set { assign("work_queue_id", newValue) }
    }

    /// The member `flow_run`.
    public var flowRun: FlowRun {
        get { required("flow_run") }
        set { assign("flow_run", newValue) }
    }
}

/// The API's `WorkerMetadata`.
public struct WorkerMetadata: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(integrations: [Integration], _ configure: (inout WorkerMetadata) -> Void = { _ in }) {
        members = [:]
        assign("integrations", integrations)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("integrations", [Integration].self, in: members)
    }

    /// The member `integrations`.
    public var integrations: [Integration] {
        get { required("integrations") }
        set { assign("integrations", newValue) }
    }
}

/// The API's `Integration`.
public struct Integration: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(name: String, version: String, _ configure: (inout Integration) -> Void = { _ in }) {
        members = [:]
        assign("name", name)
        assign("version", version)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
        try require("version", String.self, in: members)
    }

    /// The member `name`.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The member `version`.
    public var version: String {
        get { required("version") }
        set { assign("version", newValue) }
    }
}
