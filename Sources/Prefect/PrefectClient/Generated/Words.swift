// Tests/Schema/generate.py makes this file.

/// Defines artifact collection sorting options.
public struct ArtifactCollectionSort: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `CREATED_DESC`.
    public static let createdDescending: ArtifactCollectionSort = "CREATED_DESC"
    /// The word `UPDATED_DESC`.
    public static let updatedDescending: ArtifactCollectionSort = "UPDATED_DESC"
    /// The word `ID_DESC`.
    public static let idDescending: ArtifactCollectionSort = "ID_DESC"
    /// The word `KEY_DESC`.
    public static let keyDescending: ArtifactCollectionSort = "KEY_DESC"
    /// The word `KEY_ASC`.
    public static let keyAscending: ArtifactCollectionSort = "KEY_ASC"

    /// The words that this version knows.
    public static let known: [ArtifactCollectionSort] = [
        .createdDescending, .updatedDescending, .idDescending, .keyDescending, .keyAscending,
    ]
}

/// Defines artifact sorting options.
public struct ArtifactSort: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `CREATED_DESC`.
    public static let createdDescending: ArtifactSort = "CREATED_DESC"
    /// The word `UPDATED_DESC`.
    public static let updatedDescending: ArtifactSort = "UPDATED_DESC"
    /// The word `ID_DESC`.
    public static let idDescending: ArtifactSort = "ID_DESC"
    /// The word `KEY_DESC`.
    public static let keyDescending: ArtifactSort = "KEY_DESC"
    /// The word `KEY_ASC`.
    public static let keyAscending: ArtifactSort = "KEY_ASC"

    /// The words that this version knows.
    public static let known: [ArtifactSort] = [
        .createdDescending, .updatedDescending, .idDescending, .keyDescending, .keyAscending,
    ]
}

/// Defines automations sorting options.
public struct AutomationSort: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `CREATED_DESC`.
    public static let createdDescending: AutomationSort = "CREATED_DESC"
    /// The word `UPDATED_DESC`.
    public static let updatedDescending: AutomationSort = "UPDATED_DESC"
    /// The word `NAME_ASC`.
    public static let nameAscending: AutomationSort = "NAME_ASC"
    /// The word `NAME_DESC`.
    public static let nameDescending: AutomationSort = "NAME_DESC"

    /// The words that this version knows.
    public static let known: [AutomationSort] = [
        .createdDescending, .updatedDescending, .nameAscending, .nameDescending,
    ]
}

/// Defines block document sorting options.
public struct BlockDocumentSort: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `NAME_DESC`.
    public static let nameDescending: BlockDocumentSort = "NAME_DESC"
    /// The word `NAME_ASC`.
    public static let nameAscending: BlockDocumentSort = "NAME_ASC"
    /// The word `BLOCK_TYPE_AND_NAME_ASC`.
    public static let blockTypeAndNameAscending: BlockDocumentSort = "BLOCK_TYPE_AND_NAME_ASC"

    /// The words that this version knows.
    public static let known: [BlockDocumentSort] = [.nameDescending, .nameAscending, .blockTypeAndNameAscending]
}

/// Enumeration of concurrency collision strategies.
public struct ConcurrencyLimitStrategy: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `ENQUEUE`.
    public static let enqueue: ConcurrencyLimitStrategy = "ENQUEUE"
    /// The word `CANCEL_NEW`.
    public static let cancelNew: ConcurrencyLimitStrategy = "CANCEL_NEW"

    /// The words that this version knows.
    public static let known: [ConcurrencyLimitStrategy] = [.enqueue, .cancelNew]
}

/// Defines deployment sorting options.
public struct DeploymentSort: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `CREATED_DESC`.
    public static let createdDescending: DeploymentSort = "CREATED_DESC"
    /// The word `UPDATED_DESC`.
    public static let updatedDescending: DeploymentSort = "UPDATED_DESC"
    /// The word `NAME_ASC`.
    public static let nameAscending: DeploymentSort = "NAME_ASC"
    /// The word `NAME_DESC`.
    public static let nameDescending: DeploymentSort = "NAME_DESC"

    /// The words that this version knows.
    public static let known: [DeploymentSort] = [
        .createdDescending, .updatedDescending, .nameAscending, .nameDescending,
    ]
}

/// Enumeration of deployment statuses.
public struct DeploymentStatus: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `READY`.
    public static let ready: DeploymentStatus = "READY"
    /// The word `NOT_READY`.
    public static let notReady: DeploymentStatus = "NOT_READY"

    /// The words that this version knows.
    public static let known: [DeploymentStatus] = [.ready, .notReady]
}

/// The words of the API's `EventOrder`.
public struct EventOrder: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `ASC`.
    public static let ascending: EventOrder = "ASC"
    /// The word `DESC`.
    public static let descending: EventOrder = "DESC"

    /// The words that this version knows.
    public static let known: [EventOrder] = [.ascending, .descending]
}

/// Operators for combining filter criteria.
public struct FilterMatch: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `and_`.
    public static let all: FilterMatch = "and_"
    /// The word `or_`.
    public static let any: FilterMatch = "or_"

    /// The words that this version knows.
    public static let known: [FilterMatch] = [.all, .any]
}

/// Defines flow run sorting options.
public struct FlowRunSort: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `ID_DESC`.
    public static let idDescending: FlowRunSort = "ID_DESC"
    /// The word `START_TIME_ASC`.
    public static let startTimeAscending: FlowRunSort = "START_TIME_ASC"
    /// The word `START_TIME_DESC`.
    public static let startTimeDescending: FlowRunSort = "START_TIME_DESC"
    /// The word `EXPECTED_START_TIME_ASC`.
    public static let expectedStartTimeAscending: FlowRunSort = "EXPECTED_START_TIME_ASC"
    /// The word `EXPECTED_START_TIME_DESC`.
    public static let expectedStartTimeDescending: FlowRunSort = "EXPECTED_START_TIME_DESC"
    /// The word `NAME_ASC`.
    public static let nameAscending: FlowRunSort = "NAME_ASC"
    /// The word `NAME_DESC`.
    public static let nameDescending: FlowRunSort = "NAME_DESC"
    /// The word `NEXT_SCHEDULED_START_TIME_ASC`.
    public static let nextScheduledStartTimeAscending: FlowRunSort = "NEXT_SCHEDULED_START_TIME_ASC"
    /// The word `END_TIME_DESC`.
    public static let endTimeDescending: FlowRunSort = "END_TIME_DESC"

    /// The words that this version knows.
    public static let known: [FlowRunSort] = [
        .idDescending, .startTimeAscending, .startTimeDescending, .expectedStartTimeAscending,
        .expectedStartTimeDescending, .nameAscending, .nameDescending, .nextScheduledStartTimeAscending,
        .endTimeDescending,
    ]
}

/// Defines flow sorting options.
public struct FlowSort: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `CREATED_DESC`.
    public static let createdDescending: FlowSort = "CREATED_DESC"
    /// The word `UPDATED_DESC`.
    public static let updatedDescending: FlowSort = "UPDATED_DESC"
    /// The word `NAME_ASC`.
    public static let nameAscending: FlowSort = "NAME_ASC"
    /// The word `NAME_DESC`.
    public static let nameDescending: FlowSort = "NAME_DESC"

    /// The words that this version knows.
    public static let known: [FlowSort] = [.createdDescending, .updatedDescending, .nameAscending, .nameDescending]
}

/// Defines log sorting options.
public struct LogSort: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `TIMESTAMP_ASC`.
    public static let timestampAscending: LogSort = "TIMESTAMP_ASC"
    /// The word `TIMESTAMP_DESC`.
    public static let timestampDescending: LogSort = "TIMESTAMP_DESC"

    /// The words that this version knows.
    public static let known: [LogSort] = [.timestampAscending, .timestampDescending]
}

/// Enumerates return statuses for setting run states.
public struct SetStateStatus: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `ACCEPT`.
    public static let accept: SetStateStatus = "ACCEPT"
    /// The word `REJECT`.
    public static let reject: SetStateStatus = "REJECT"
    /// The word `ABORT`.
    public static let abort: SetStateStatus = "ABORT"
    /// The word `WAIT`.
    public static let wait: SetStateStatus = "WAIT"

    /// The words that this version knows.
    public static let known: [SetStateStatus] = [.accept, .reject, .abort, .wait]
}

/// Enumeration of state types.
public struct StateType: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `SCHEDULED`.
    public static let scheduled: StateType = "SCHEDULED"
    /// The word `PENDING`.
    public static let pending: StateType = "PENDING"
    /// The word `RUNNING`.
    public static let running: StateType = "RUNNING"
    /// The word `COMPLETED`.
    public static let completed: StateType = "COMPLETED"
    /// The word `FAILED`.
    public static let failed: StateType = "FAILED"
    /// The word `CANCELLED`.
    public static let cancelled: StateType = "CANCELLED"
    /// The word `CRASHED`.
    public static let crashed: StateType = "CRASHED"
    /// The word `PAUSED`.
    public static let paused: StateType = "PAUSED"
    /// The word `CANCELLING`.
    public static let cancelling: StateType = "CANCELLING"

    /// The words that this version knows.
    public static let known: [StateType] = [
        .scheduled, .pending, .running, .completed, .failed, .cancelled, .crashed, .paused, .cancelling,
    ]
}

/// Defines task run sorting options.
public struct TaskRunSort: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `ID_DESC`.
    public static let idDescending: TaskRunSort = "ID_DESC"
    /// The word `EXPECTED_START_TIME_ASC`.
    public static let expectedStartTimeAscending: TaskRunSort = "EXPECTED_START_TIME_ASC"
    /// The word `EXPECTED_START_TIME_DESC`.
    public static let expectedStartTimeDescending: TaskRunSort = "EXPECTED_START_TIME_DESC"
    /// The word `NAME_ASC`.
    public static let nameAscending: TaskRunSort = "NAME_ASC"
    /// The word `NAME_DESC`.
    public static let nameDescending: TaskRunSort = "NAME_DESC"
    /// The word `NEXT_SCHEDULED_START_TIME_ASC`.
    public static let nextScheduledStartTimeAscending: TaskRunSort = "NEXT_SCHEDULED_START_TIME_ASC"
    /// The word `END_TIME_DESC`.
    public static let endTimeDescending: TaskRunSort = "END_TIME_DESC"

    /// The words that this version knows.
    public static let known: [TaskRunSort] = [
        .idDescending, .expectedStartTimeAscending, .expectedStartTimeDescending, .nameAscending, .nameDescending,
        .nextScheduledStartTimeAscending, .endTimeDescending,
    ]
}

/// Defines variables sorting options.
public struct VariableSort: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `CREATED_DESC`.
    public static let createdDescending: VariableSort = "CREATED_DESC"
    /// The word `UPDATED_DESC`.
    public static let updatedDescending: VariableSort = "UPDATED_DESC"
    /// The word `NAME_DESC`.
    public static let nameDescending: VariableSort = "NAME_DESC"
    /// The word `NAME_ASC`.
    public static let nameAscending: VariableSort = "NAME_ASC"

    /// The words that this version knows.
    public static let known: [VariableSort] = [.createdDescending, .updatedDescending, .nameDescending, .nameAscending]
}

/// Enumeration of work pool statuses.
public struct WorkPoolStatus: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `READY`.
    public static let ready: WorkPoolStatus = "READY"
    /// The word `NOT_READY`.
    public static let notReady: WorkPoolStatus = "NOT_READY"
    /// The word `PAUSED`.
    public static let paused: WorkPoolStatus = "PAUSED"

    /// The words that this version knows.
    public static let known: [WorkPoolStatus] = [.ready, .notReady, .paused]
}

/// Enumeration of work queue statuses.
public struct WorkQueueStatus: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `READY`.
    public static let ready: WorkQueueStatus = "READY"
    /// The word `NOT_READY`.
    public static let notReady: WorkQueueStatus = "NOT_READY"
    /// The word `PAUSED`.
    public static let paused: WorkQueueStatus = "PAUSED"

    /// The words that this version knows.
    public static let known: [WorkQueueStatus] = [.ready, .notReady, .paused]
}

/// Enumeration of worker statuses.
public struct WorkerStatus: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `ONLINE`.
    public static let online: WorkerStatus = "ONLINE"
    /// The word `OFFLINE`.
    public static let offline: WorkerStatus = "OFFLINE"

    /// The words that this version knows.
    public static let known: [WorkerStatus] = [.online, .offline]
}

/// The treatment of a deployment's schedules in its branch.
public struct BranchingScheduleHandling: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `keep`.
    public static let keep: BranchingScheduleHandling = "keep"
    /// The word `remove`.
    public static let remove: BranchingScheduleHandling = "remove"
    /// The word `inactive`.
    public static let inactive: BranchingScheduleHandling = "inactive"

    /// The words that this version knows.
    public static let known: [BranchingScheduleHandling] = [.keep, .remove, .inactive]
}

/// A metric that an automation observes.
public struct PrefectMetric: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `lateness`.
    public static let lateness: PrefectMetric = "lateness"
    /// The word `duration`.
    public static let duration: PrefectMetric = "duration"
    /// The word `successes`.
    public static let successes: PrefectMetric = "successes"

    /// The words that this version knows.
    public static let known: [PrefectMetric] = [.lateness, .duration, .successes]
}

/// A comparison of a metric with its threshold.
public struct MetricTriggerOperator: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `<`.
    public static let less: MetricTriggerOperator = "<"
    /// The word `<=`.
    public static let lessOrEqual: MetricTriggerOperator = "<="
    /// The word `>`.
    public static let greater: MetricTriggerOperator = ">"
    /// The word `>=`.
    public static let greaterOrEqual: MetricTriggerOperator = ">="

    /// The words that this version knows.
    public static let known: [MetricTriggerOperator] = [.less, .lessOrEqual, .greater, .greaterOrEqual]
}

/// The severity of a service level agreement.
public struct SlaSeverity: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `minor`.
    public static let minor: SlaSeverity = "minor"
    /// The word `low`.
    public static let low: SlaSeverity = "low"
    /// The word `moderate`.
    public static let moderate: SlaSeverity = "moderate"
    /// The word `high`.
    public static let high: SlaSeverity = "high"
    /// The word `critical`.
    public static let critical: SlaSeverity = "critical"

    /// The words that this version knows.
    public static let known: [SlaSeverity] = [.minor, .low, .moderate, .high, .critical]
}

/// Whether a trigger awaits events, their absence or a metric.
public struct TriggerPosture: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `Reactive`.
    public static let reactive: TriggerPosture = "Reactive"
    /// The word `Proactive`.
    public static let proactive: TriggerPosture = "Proactive"
    /// The word `Metric`.
    public static let metric: TriggerPosture = "Metric"

    /// The words that this version knows.
    public static let known: [TriggerPosture] = [.reactive, .proactive, .metric]
}

/// The triggers that a compound trigger requires.
public struct TriggerRequirement: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `any`.
    public static let any: TriggerRequirement = "any"
    /// The word `all`.
    public static let all: TriggerRequirement = "all"

    /// The words that this version knows.
    public static let known: [TriggerRequirement] = [.any, .all]
}

/// The way in which a flow run is retried.
public struct RetryType: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `in_process`.
    public static let inProcess: RetryType = "in_process"
    /// The word `reschedule`.
    public static let reschedule: RetryType = "reschedule"

    /// The words that this version knows.
    public static let known: [RetryType] = [.inProcess, .reschedule]
}

/// The type of the object that holds slots.
public struct LeaseHolderType: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `flow_run`.
    public static let flowRun: LeaseHolderType = "flow_run"
    /// The word `task_run`.
    public static let taskRun: LeaseHolderType = "task_run"
    /// The word `deployment`.
    public static let deployment: LeaseHolderType = "deployment"

    /// The words that this version knows.
    public static let known: [LeaseHolderType] = [.flowRun, .taskRun, .deployment]
}

/// Whether slots are held or used up at a rate.
public struct ConcurrencyMode: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `concurrency`.
    public static let concurrency: ConcurrencyMode = "concurrency"
    /// The word `rate_limit`.
    public static let rateLimit: ConcurrencyMode = "rate_limit"

    /// The words that this version knows.
    public static let known: [ConcurrencyMode] = [.concurrency, .rateLimit]
}

/// The source of the deployment that an action uses.
public struct RunDeploymentSource: APIWord {
    /// The word.
    public let rawValue: String

    /// Takes a word, known or not.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The word `selected`.
    public static let selected: RunDeploymentSource = "selected"
    /// The word `inferred`.
    public static let inferred: RunDeploymentSource = "inferred"

    /// The words that this version knows.
    public static let known: [RunDeploymentSource] = [.selected, .inferred]
}
