// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// A selection of objects, as the API's `FlowFilter`.
public struct FlowFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, id: FilterCondition<AnyNotAnyOperatorSet, UUID>? = nil,
        deployment: FilterCondition<NullAlternativesOperatorSet, String>? = nil,
        name: FilterCondition<AnyLikeOperatorSet, String>? = nil,
        tags: FilterCondition<AllNullAlternativesOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("id", id)
        assignIfPresent("deployment", deployment)
        assignIfPresent("name", name)
        assignIfPresent("tags", tags)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("id", FilterCondition<AnyNotAnyOperatorSet, UUID>.self, in: members)
        try accept("deployment", FilterCondition<NullAlternativesOperatorSet, String>.self, in: members)
        try accept("name", FilterCondition<AnyLikeOperatorSet, String>.self, in: members)
        try accept("tags", FilterCondition<AllNullAlternativesOperatorSet, String>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `Flow.id`.
    public var id: FilterCondition<AnyNotAnyOperatorSet, UUID>? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Filter criteria for Flow deployments.
    public var deployment: FilterCondition<NullAlternativesOperatorSet, String>? {
        get { optional("deployment") }
        set { assign("deployment", newValue) }
    }

    /// Filter criteria for `Flow.name`.
    public var name: FilterCondition<AnyLikeOperatorSet, String>? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// Filter criteria for `Flow.tags`.
    public var tags: FilterCondition<AllNullAlternativesOperatorSet, String>? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }
}

/// A selection of objects, as the API's `FlowRunFilter`.
public struct FlowRunFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, id: FilterCondition<AnyNotAnyOperatorSet, UUID>? = nil,
        name: FilterCondition<AnyLikeOperatorSet, String>? = nil,
        tags: FilterCondition<AllAnyNullAlternativesOperatorSet, String>? = nil,
        deploymentID: FilterCondition<AnyNullAlternativesOperatorSet, UUID>? = nil,
        workQueueName: FilterCondition<AnyNullAlternativesOperatorSet, String>? = nil, state: FlowRunFilterState? = nil,
        flowVersion: FilterCondition<AnyOperatorSet, String>? = nil,
        startTime: FilterCondition<BeforeAfterNullOperatorSet, Timestamp>? = nil,
        endTime: FilterCondition<BeforeAfterNullOperatorSet, Timestamp>? = nil,
        expectedStartTime: FilterCondition<BeforeAfterOperatorSet, Timestamp>? = nil,
        nextScheduledStartTime: FilterCondition<BeforeAfterOperatorSet, Timestamp>? = nil,
        parentFlowRunID: FilterCondition<AnyAlternativesOperatorSet, UUID>? = nil,
        parentTaskRunID: FilterCondition<AnyNullAlternativesOperatorSet, UUID>? = nil,
        idempotencyKey: FilterCondition<AnyNotAnyOperatorSet, String>? = nil,
        createdBy: FilterCondition<CreatorNullAlternativesOperatorSet, UUID>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("id", id)
        assignIfPresent("name", name)
        assignIfPresent("tags", tags)
        assignIfPresent("deployment_id", deploymentID)
        assignIfPresent("work_queue_name", workQueueName)
        assignIfPresent("state", state)
        assignIfPresent("flow_version", flowVersion)
        assignIfPresent("start_time", startTime)
        assignIfPresent("end_time", endTime)
        assignIfPresent("expected_start_time", expectedStartTime)
        assignIfPresent("next_scheduled_start_time", nextScheduledStartTime)
        assignIfPresent("parent_flow_run_id", parentFlowRunID)
        assignIfPresent("parent_task_run_id", parentTaskRunID)
        assignIfPresent("idempotency_key", idempotencyKey)
        assignIfPresent("created_by", createdBy)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("id", FilterCondition<AnyNotAnyOperatorSet, UUID>.self, in: members)
        try accept("name", FilterCondition<AnyLikeOperatorSet, String>.self, in: members)
        try accept("tags", FilterCondition<AllAnyNullAlternativesOperatorSet, String>.self, in: members)
        try accept("deployment_id", FilterCondition<AnyNullAlternativesOperatorSet, UUID>.self, in: members)
        try accept("work_queue_name", FilterCondition<AnyNullAlternativesOperatorSet, String>.self, in: members)
        try accept("state", FlowRunFilterState.self, in: members)
        try accept("flow_version", FilterCondition<AnyOperatorSet, String>.self, in: members)
        try accept("start_time", FilterCondition<BeforeAfterNullOperatorSet, Timestamp>.self, in: members)
        try accept("end_time", FilterCondition<BeforeAfterNullOperatorSet, Timestamp>.self, in: members)
        try accept("expected_start_time", FilterCondition<BeforeAfterOperatorSet, Timestamp>.self, in: members)
        try accept("next_scheduled_start_time", FilterCondition<BeforeAfterOperatorSet, Timestamp>.self, in: members)
        try accept("parent_flow_run_id", FilterCondition<AnyAlternativesOperatorSet, UUID>.self, in: members)
        try accept("parent_task_run_id", FilterCondition<AnyNullAlternativesOperatorSet, UUID>.self, in: members)
        try accept("idempotency_key", FilterCondition<AnyNotAnyOperatorSet, String>.self, in: members)
        try accept("created_by", FilterCondition<CreatorNullAlternativesOperatorSet, UUID>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `FlowRun.id`.
    public var id: FilterCondition<AnyNotAnyOperatorSet, UUID>? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Filter criteria for `FlowRun.name`.
    public var name: FilterCondition<AnyLikeOperatorSet, String>? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// Filter criteria for `FlowRun.tags`.
    public var tags: FilterCondition<AllAnyNullAlternativesOperatorSet, String>? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }

    /// Filter criteria for `FlowRun.deployment_id`.
    public var deploymentID: FilterCondition<AnyNullAlternativesOperatorSet, UUID>? {
        get { optional("deployment_id") }
        set { assign("deployment_id", newValue) }
    }

    /// The member `work_queue_name`.
    public var workQueueName: FilterCondition<AnyNullAlternativesOperatorSet, String>? {
        get { optional("work_queue_name") }
        set { assign("work_queue_name", newValue) }
    }

    /// Filter criteria for `FlowRun.state`.
    public var state: FlowRunFilterState? {
        get { optional("state") }
        set { assign("state", newValue) }
    }

    /// Filter criteria for `FlowRun.flow_version`.
    public var flowVersion: FilterCondition<AnyOperatorSet, String>? {
        get { optional("flow_version") }
        set { assign("flow_version", newValue) }
    }

    /// Filter criteria for `FlowRun.start_time`.
    public var startTime: FilterCondition<BeforeAfterNullOperatorSet, Timestamp>? {
        get { optional("start_time") }
        set { assign("start_time", newValue) }
    }

    /// Filter criteria for `FlowRun.end_time`.
    public var endTime: FilterCondition<BeforeAfterNullOperatorSet, Timestamp>? {
        get { optional("end_time") }
        set { assign("end_time", newValue) }
    }

    /// Filter criteria for `FlowRun.expected_start_time`.
    public var expectedStartTime: FilterCondition<BeforeAfterOperatorSet, Timestamp>? {
        get { optional("expected_start_time") }
        set { assign("expected_start_time", newValue) }
    }

    /// Filter criteria for `FlowRun.next_scheduled_start_time`.
    public var nextScheduledStartTime: FilterCondition<BeforeAfterOperatorSet, Timestamp>? {
        get { optional("next_scheduled_start_time") }
        set { assign("next_scheduled_start_time", newValue) }
    }

    /// Filter criteria for subflows of the given flow runs.
    public var parentFlowRunID: FilterCondition<AnyAlternativesOperatorSet, UUID>? {
        get { optional("parent_flow_run_id") }
        set { assign("parent_flow_run_id", newValue) }
    }

    /// Filter criteria for `FlowRun.parent_task_run_id`.
    public var parentTaskRunID: FilterCondition<AnyNullAlternativesOperatorSet, UUID>? {
        get { optional("parent_task_run_id") }
        set { assign("parent_task_run_id", newValue) }
    }

    /// Filter criteria for `FlowRun.idempotency_key`.
    public var idempotencyKey: FilterCondition<AnyNotAnyOperatorSet, String>? {
        get { optional("idempotency_key") }
        set { assign("idempotency_key", newValue) }
    }

    /// Filter criteria for `FlowRun.created_by`.
    public var createdBy: FilterCondition<CreatorNullAlternativesOperatorSet, UUID>? {
        get { optional("created_by") }
        set { assign("created_by", newValue) }
    }
}

/// A selection of objects, as the API's `FlowRunFilterState`.
public struct FlowRunFilterState: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, type: FilterCondition<SingleAnyNotAnyOperatorSet, StateType>? = nil,
        name: FilterCondition<SingleAnyNotAnyOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("type", type)
        assignIfPresent("name", name)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("type", FilterCondition<SingleAnyNotAnyOperatorSet, StateType>.self, in: members)
        try accept("name", FilterCondition<SingleAnyNotAnyOperatorSet, String>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `FlowRun.state_type`.
    public var type: FilterCondition<SingleAnyNotAnyOperatorSet, StateType>? {
        get { optional("type") }
        set { assign("type", newValue) }
    }

    /// Filter criteria for `FlowRun.state_name`.
    public var name: FilterCondition<SingleAnyNotAnyOperatorSet, String>? {
        get { optional("name") }
        set { assign("name", newValue) }
    }
}

/// A selection of objects, as the API's `TaskRunFilter`.
public struct TaskRunFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, id: FilterCondition<AnyOperatorSet, UUID>? = nil,
        name: FilterCondition<AnyLikeOperatorSet, String>? = nil,
        tags: FilterCondition<AllNullAlternativesOperatorSet, String>? = nil, state: TaskRunFilterState? = nil,
        startTime: FilterCondition<BeforeAfterNullOperatorSet, Timestamp>? = nil,
        endTime: FilterCondition<BeforeAfterNullOperatorSet, Timestamp>? = nil,
        expectedStartTime: FilterCondition<BeforeAfterOperatorSet, Timestamp>? = nil,
        subflowRuns: FilterCondition<ExistsOperatorSet, String>? = nil,
        flowRunID: FilterCondition<AnyNullAlternativesOperatorSet, UUID>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("id", id)
        assignIfPresent("name", name)
        assignIfPresent("tags", tags)
        assignIfPresent("state", state)
        assignIfPresent("start_time", startTime)
        assignIfPresent("end_time", endTime)
        assignIfPresent("expected_start_time", expectedStartTime)
        assignIfPresent("subflow_runs", subflowRuns)
        assignIfPresent("flow_run_id", flowRunID)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("name", FilterCondition<AnyLikeOperatorSet, String>.self, in: members)
        try accept("tags", FilterCondition<AllNullAlternativesOperatorSet, String>.self, in: members)
        try accept("state", TaskRunFilterState.self, in: members)
        try accept("start_time", FilterCondition<BeforeAfterNullOperatorSet, Timestamp>.self, in: members)
        try accept("end_time", FilterCondition<BeforeAfterNullOperatorSet, Timestamp>.self, in: members)
        try accept("expected_start_time", FilterCondition<BeforeAfterOperatorSet, Timestamp>.self, in: members)
        try accept("subflow_runs", FilterCondition<ExistsOperatorSet, String>.self, in: members)
        try accept("flow_run_id", FilterCondition<AnyNullAlternativesOperatorSet, UUID>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `TaskRun.id`.
    public var id: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Filter criteria for `TaskRun.name`.
    public var name: FilterCondition<AnyLikeOperatorSet, String>? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// Filter criteria for `TaskRun.tags`.
    public var tags: FilterCondition<AllNullAlternativesOperatorSet, String>? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }

    /// Filter criteria for `TaskRun.state`.
    public var state: TaskRunFilterState? {
        get { optional("state") }
        set { assign("state", newValue) }
    }

    /// Filter criteria for `TaskRun.start_time`.
    public var startTime: FilterCondition<BeforeAfterNullOperatorSet, Timestamp>? {
        get { optional("start_time") }
        set { assign("start_time", newValue) }
    }

    /// Filter criteria for `TaskRun.end_time`.
    public var endTime: FilterCondition<BeforeAfterNullOperatorSet, Timestamp>? {
        get { optional("end_time") }
        set { assign("end_time", newValue) }
    }

    /// Filter criteria for `TaskRun.expected_start_time`.
    public var expectedStartTime: FilterCondition<BeforeAfterOperatorSet, Timestamp>? {
        get { optional("expected_start_time") }
        set { assign("expected_start_time", newValue) }
    }

    /// Filter criteria for `TaskRun.subflow_run`.
    public var subflowRuns: FilterCondition<ExistsOperatorSet, String>? {
        get { optional("subflow_runs") }
        set { assign("subflow_runs", newValue) }
    }

    /// Filter criteria for `TaskRun.flow_run_id`.
    public var flowRunID: FilterCondition<AnyNullAlternativesOperatorSet, UUID>? {
        get { optional("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }
}

/// A selection of objects, as the API's `TaskRunFilterState`.
public struct TaskRunFilterState: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, type: FilterCondition<SingleAnyOperatorSet, StateType>? = nil,
        name: FilterCondition<SingleAnyOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("type", type)
        assignIfPresent("name", name)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("type", FilterCondition<SingleAnyOperatorSet, StateType>.self, in: members)
        try accept("name", FilterCondition<SingleAnyOperatorSet, String>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `TaskRun.state_type`.
    public var type: FilterCondition<SingleAnyOperatorSet, StateType>? {
        get { optional("type") }
        set { assign("type", newValue) }
    }

    /// Filter criteria for `TaskRun.state_name`.
    public var name: FilterCondition<SingleAnyOperatorSet, String>? {
        get { optional("name") }
        set { assign("name", newValue) }
    }
}

/// A selection of objects, as the API's `DeploymentFilter`.
public struct DeploymentFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, id: FilterCondition<AnyNotAnyOperatorSet, UUID>? = nil,
        name: FilterCondition<AnyLikeOperatorSet, String>? = nil,
        flowOrDeploymentName: FilterCondition<LikeOperatorSet, String>? = nil,
        paused: FilterCondition<EqualOperatorSet, Bool>? = nil,
        tags: FilterCondition<AllAnyNullAlternativesOperatorSet, String>? = nil,
        workQueueName: FilterCondition<AnyOperatorSet, String>? = nil,
        concurrencyLimit: FilterCondition<RangeNullOperatorSet, Int>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("id", id)
        assignIfPresent("name", name)
        assignIfPresent("flow_or_deployment_name", flowOrDeploymentName)
        assignIfPresent("paused", paused)
        assignIfPresent("tags", tags)
        assignIfPresent("work_queue_name", workQueueName)
        assignIfPresent("concurrency_limit", concurrencyLimit)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("id", FilterCondition<AnyNotAnyOperatorSet, UUID>.self, in: members)
        try accept("name", FilterCondition<AnyLikeOperatorSet, String>.self, in: members)
        try accept("flow_or_deployment_name", FilterCondition<LikeOperatorSet, String>.self, in: members)
        try accept("paused", FilterCondition<EqualOperatorSet, Bool>.self, in: members)
        try accept("tags", FilterCondition<AllAnyNullAlternativesOperatorSet, String>.self, in: members)
        try accept("work_queue_name", FilterCondition<AnyOperatorSet, String>.self, in: members)
        try accept("concurrency_limit", FilterCondition<RangeNullOperatorSet, Int>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `Deployment.id`.
    public var id: FilterCondition<AnyNotAnyOperatorSet, UUID>? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Filter criteria for `Deployment.name`.
    public var name: FilterCondition<AnyLikeOperatorSet, String>? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// Filter criteria for `Deployment.name` or `Flow.name`.
    public var flowOrDeploymentName: FilterCondition<LikeOperatorSet, String>? {
        get { optional("flow_or_deployment_name") }
        set { assign("flow_or_deployment_name", newValue) }
    }

    /// Filter criteria for `Deployment.paused`.
    public var paused: FilterCondition<EqualOperatorSet, Bool>? {
        get { optional("paused") }
        set { assign("paused", newValue) }
    }

    /// Filter criteria for `Deployment.tags`.
    public var tags: FilterCondition<AllAnyNullAlternativesOperatorSet, String>? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }

    /// Filter criteria for `Deployment.work_queue_name`.
    public var workQueueName: FilterCondition<AnyOperatorSet, String>? {
        get { optional("work_queue_name") }
        set { assign("work_queue_name", newValue) }
    }

    /// The member `concurrency_limit`.
    public var concurrencyLimit: FilterCondition<RangeNullOperatorSet, Int>? {
        get { optional("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }
}

/// A selection of objects, as the API's `WorkPoolFilter`.
public struct WorkPoolFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, id: FilterCondition<AnyOperatorSet, UUID>? = nil,
        name: FilterCondition<AnyOperatorSet, String>? = nil, type: FilterCondition<AnyOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("id", id)
        assignIfPresent("name", name)
        assignIfPresent("type", type)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("name", FilterCondition<AnyOperatorSet, String>.self, in: members)
        try accept("type", FilterCondition<AnyOperatorSet, String>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `WorkPool.id`.
    public var id: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Filter criteria for `WorkPool.name`.
    public var name: FilterCondition<AnyOperatorSet, String>? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// Filter criteria for `WorkPool.type`.
    public var type: FilterCondition<AnyOperatorSet, String>? {
        get { optional("type") }
        set { assign("type", newValue) }
    }
}

/// A selection of objects, as the API's `WorkQueueFilter`.
public struct WorkQueueFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, id: FilterCondition<AnyOperatorSet, UUID>? = nil,
        name: FilterCondition<AnyPrefixOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("id", id)
        assignIfPresent("name", name)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("name", FilterCondition<AnyPrefixOperatorSet, String>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `WorkQueue.id`.
    public var id: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Filter criteria for `WorkQueue.name`.
    public var name: FilterCondition<AnyPrefixOperatorSet, String>? {
        get { optional("name") }
        set { assign("name", newValue) }
    }
}

/// A selection of objects, as the API's `WorkerFilter`.
public struct WorkerFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, lastHeartbeatTime: FilterCondition<BeforeAfterOperatorSet, Timestamp>? = nil,
        status: FilterCondition<AnyNotAnyOperatorSet, WorkerStatus>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("last_heartbeat_time", lastHeartbeatTime)
        assignIfPresent("status", status)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("last_heartbeat_time", FilterCondition<BeforeAfterOperatorSet, Timestamp>.self, in: members)
        try accept("status", FilterCondition<AnyNotAnyOperatorSet, WorkerStatus>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `Worker.last_heartbeat_time`.
    public var lastHeartbeatTime: FilterCondition<BeforeAfterOperatorSet, Timestamp>? {
        get { optional("last_heartbeat_time") }
        set { assign("last_heartbeat_time", newValue) }
    }

    /// Filter criteria for `Worker.status`.
    public var status: FilterCondition<AnyNotAnyOperatorSet, WorkerStatus>? {
        get { optional("status") }
        set { assign("status", newValue) }
    }
}

/// A selection of objects, as the API's `LogFilter`.
public struct LogFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, level: FilterCondition<RangeOperatorSet, Int>? = nil,
        timestamp: FilterCondition<BeforeAfterOperatorSet, Timestamp>? = nil,
        flowRunID: FilterCondition<AnyOperatorSet, UUID>? = nil,
        taskRunID: FilterCondition<AnyNullOperatorSet, UUID>? = nil,
        text: FilterCondition<QueryOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("level", level)
        assignIfPresent("timestamp", timestamp)
        assignIfPresent("flow_run_id", flowRunID)
        assignIfPresent("task_run_id", taskRunID)
        assignIfPresent("text", text)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("level", FilterCondition<RangeOperatorSet, Int>.self, in: members)
        try accept("timestamp", FilterCondition<BeforeAfterOperatorSet, Timestamp>.self, in: members)
        try accept("flow_run_id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("task_run_id", FilterCondition<AnyNullOperatorSet, UUID>.self, in: members)
        try accept("text", FilterCondition<QueryOperatorSet, String>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `Log.level`.
    public var level: FilterCondition<RangeOperatorSet, Int>? {
        get { optional("level") }
        set { assign("level", newValue) }
    }

    /// Filter criteria for `Log.timestamp`.
    public var timestamp: FilterCondition<BeforeAfterOperatorSet, Timestamp>? {
        get { optional("timestamp") }
        set { assign("timestamp", newValue) }
    }

    /// Filter criteria for `Log.flow_run_id`.
    public var flowRunID: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }

    /// Filter criteria for `Log.task_run_id`.
    public var taskRunID: FilterCondition<AnyNullOperatorSet, UUID>? {
        get { optional("task_run_id") }
        set { assign("task_run_id", newValue) }
    }

    /// Filter criteria for text search across log content.
    public var text: FilterCondition<QueryOperatorSet, String>? {
        get { optional("text") }
        set { assign("text", newValue) }
    }
}

/// A selection of objects, as the API's `ArtifactFilter`.
public struct ArtifactFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, id: FilterCondition<AnyOperatorSet, UUID>? = nil,
        key: FilterCondition<AnyLikeExistsOperatorSet, String>? = nil,
        flowRunID: FilterCondition<AnyOperatorSet, UUID>? = nil,
        taskRunID: FilterCondition<AnyOperatorSet, UUID>? = nil,
        type: FilterCondition<AnyNotAnyOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("id", id)
        assignIfPresent("key", key)
        assignIfPresent("flow_run_id", flowRunID)
        assignIfPresent("task_run_id", taskRunID)
        assignIfPresent("type", type)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("key", FilterCondition<AnyLikeExistsOperatorSet, String>.self, in: members)
        try accept("flow_run_id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("task_run_id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("type", FilterCondition<AnyNotAnyOperatorSet, String>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `Artifact.id`.
    public var id: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Filter criteria for `Artifact.key`.
    public var key: FilterCondition<AnyLikeExistsOperatorSet, String>? {
        get { optional("key") }
        set { assign("key", newValue) }
    }

    /// Filter criteria for `Artifact.flow_run_id`.
    public var flowRunID: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }

    /// Filter criteria for `Artifact.task_run_id`.
    public var taskRunID: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("task_run_id") }
        set { assign("task_run_id", newValue) }
    }

    /// Filter criteria for `Artifact.type`.
    public var type: FilterCondition<AnyNotAnyOperatorSet, String>? {
        get { optional("type") }
        set { assign("type", newValue) }
    }
}

/// A selection of objects, as the API's `ArtifactCollectionFilter`.
public struct ArtifactCollectionFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, latestID: FilterCondition<AnyOperatorSet, UUID>? = nil,
        key: FilterCondition<AnyLikeExistsOperatorSet, String>? = nil,
        flowRunID: FilterCondition<AnyOperatorSet, UUID>? = nil,
        taskRunID: FilterCondition<AnyOperatorSet, UUID>? = nil,
        type: FilterCondition<AnyNotAnyOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("latest_id", latestID)
        assignIfPresent("key", key)
        assignIfPresent("flow_run_id", flowRunID)
        assignIfPresent("task_run_id", taskRunID)
        assignIfPresent("type", type)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("latest_id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("key", FilterCondition<AnyLikeExistsOperatorSet, String>.self, in: members)
        try accept("flow_run_id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("task_run_id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("type", FilterCondition<AnyNotAnyOperatorSet, String>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `Artifact.id`.
    public var latestID: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("latest_id") }
        set { assign("latest_id", newValue) }
    }

    /// Filter criteria for `Artifact.key`.
    public var key: FilterCondition<AnyLikeExistsOperatorSet, String>? {
        get { optional("key") }
        set { assign("key", newValue) }
    }

    /// Filter criteria for `Artifact.flow_run_id`.
    public var flowRunID: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }

    /// Filter criteria for `Artifact.task_run_id`.
    public var taskRunID: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("task_run_id") }
        set { assign("task_run_id", newValue) }
    }

    /// Filter criteria for `Artifact.type`.
    public var type: FilterCondition<AnyNotAnyOperatorSet, String>? {
        get { optional("type") }
        set { assign("type", newValue) }
    }
}

/// A selection of objects, as the API's `VariableFilter`.
public struct VariableFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, id: FilterCondition<AnyOperatorSet, UUID>? = nil,
        name: FilterCondition<AnyLikeOperatorSet, String>? = nil,
        tags: FilterCondition<AllNullAlternativesOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("id", id)
        assignIfPresent("name", name)
        assignIfPresent("tags", tags)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("name", FilterCondition<AnyLikeOperatorSet, String>.self, in: members)
        try accept("tags", FilterCondition<AllNullAlternativesOperatorSet, String>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `Variable.id`.
    public var id: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Filter criteria for `Variable.name`.
    public var name: FilterCondition<AnyLikeOperatorSet, String>? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// Filter criteria for `Variable.tags`.
    public var tags: FilterCondition<AllNullAlternativesOperatorSet, String>? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }
}

/// A selection of objects, as the API's `BlockTypeFilter`.
public struct BlockTypeFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        name: FilterCondition<LikeOperatorSet, String>? = nil, slug: FilterCondition<AnyOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("name", name)
        assignIfPresent("slug", slug)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("name", FilterCondition<LikeOperatorSet, String>.self, in: members)
        try accept("slug", FilterCondition<AnyOperatorSet, String>.self, in: members)
    }

    /// Filter criteria for `BlockType.name`.
    public var name: FilterCondition<LikeOperatorSet, String>? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// Filter criteria for `BlockType.slug`.
    public var slug: FilterCondition<AnyOperatorSet, String>? {
        get { optional("slug") }
        set { assign("slug", newValue) }
    }
}

/// A selection of objects, as the API's `BlockSchemaFilter`.
public struct BlockSchemaFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, blockTypeID: FilterCondition<AnyOperatorSet, UUID>? = nil,
        blockCapabilities: FilterCondition<AllOperatorSet, String>? = nil,
        id: FilterCondition<AnyOperatorSet, UUID>? = nil, version: FilterCondition<AnyOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("block_type_id", blockTypeID)
        assignIfPresent("block_capabilities", blockCapabilities)
        assignIfPresent("id", id)
        assignIfPresent("version", version)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("block_type_id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("block_capabilities", FilterCondition<AllOperatorSet, String>.self, in: members)
        try accept("id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("version", FilterCondition<AnyOperatorSet, String>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `BlockSchema.block_type_id`.
    public var blockTypeID: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("block_type_id") }
        set { assign("block_type_id", newValue) }
    }

    /// Filter criteria for `BlockSchema.capabilities`.
    public var blockCapabilities: FilterCondition<AllOperatorSet, String>? {
        get { optional("block_capabilities") }
        set { assign("block_capabilities", newValue) }
    }

    /// Filter criteria for `BlockSchema.id`.
    public var id: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Filter criteria for `BlockSchema.version`.
    public var version: FilterCondition<AnyOperatorSet, String>? {
        get { optional("version") }
        set { assign("version", newValue) }
    }
}

/// A selection of objects, as the API's `BlockDocumentFilter`.
public struct BlockDocumentFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, id: FilterCondition<AnyOperatorSet, UUID>? = nil,
        isAnonymous: FilterCondition<EqualOperatorSet, Bool>? = nil,
        blockTypeID: FilterCondition<AnyOperatorSet, UUID>? = nil,
        name: FilterCondition<AnyLikeOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("id", id)
        assignIfPresent("is_anonymous", isAnonymous)
        assignIfPresent("block_type_id", blockTypeID)
        assignIfPresent("name", name)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("is_anonymous", FilterCondition<EqualOperatorSet, Bool>.self, in: members)
        try accept("block_type_id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("name", FilterCondition<AnyLikeOperatorSet, String>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `BlockDocument.id`.
    public var id: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Filter criteria for `BlockDocument.is_anonymous`.
    public var isAnonymous: FilterCondition<EqualOperatorSet, Bool>? {
        get { optional("is_anonymous") }
        set { assign("is_anonymous", newValue) }
    }

    /// Filter criteria for `BlockDocument.block_type_id`.
    public var blockTypeID: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("block_type_id") }
        set { assign("block_type_id", newValue) }
    }

    /// Filter criteria for `BlockDocument.name`.
    public var name: FilterCondition<AnyLikeOperatorSet, String>? {
        get { optional("name") }
        set { assign("name", newValue) }
    }
}

/// A selection of objects, as the API's `AutomationFilter`.
public struct AutomationFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A filter with these conditions. All of them must hold, unless `match` says otherwise.
    public init(
        match: FilterMatch? = nil, id: FilterCondition<AnyOperatorSet, UUID>? = nil,
        name: FilterCondition<AnyOperatorSet, String>? = nil,
        created: FilterCondition<BeforeOperatorSet, Timestamp>? = nil,
        tags: FilterCondition<AllAnyNullAlternativesOperatorSet, String>? = nil
    ) {
        members = [:]
        assignIfPresent("operator", match)
        assignIfPresent("id", id)
        assignIfPresent("name", name)
        assignIfPresent("created", created)
        assignIfPresent("tags", tags)
    }

    /// Checks the conditions. An operator that the server does not know is an error.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try accept("operator", FilterMatch.self, in: members)
        try accept("id", FilterCondition<AnyOperatorSet, UUID>.self, in: members)
        try accept("name", FilterCondition<AnyOperatorSet, String>.self, in: members)
        try accept("created", FilterCondition<BeforeOperatorSet, Timestamp>.self, in: members)
        try accept("tags", FilterCondition<AllAnyNullAlternativesOperatorSet, String>.self, in: members)
    }

    /// Whether all conditions must hold or one of them.
    public var match: FilterMatch? {
        get { optional("operator") }
        set { assign("operator", newValue) }
    }

    /// Filter criteria for `Automation.id`.
    public var id: FilterCondition<AnyOperatorSet, UUID>? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Filter criteria for `Automation.name`.
    public var name: FilterCondition<AnyOperatorSet, String>? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// Filter criteria for `Automation.created`.
    public var created: FilterCondition<BeforeOperatorSet, Timestamp>? {
        get { optional("created") }
        set { assign("created", newValue) }
    }

    /// Filter criteria for `Automation.tags`.
    public var tags: FilterCondition<AllAnyNullAlternativesOperatorSet, String>? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }
}
