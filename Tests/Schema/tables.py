"""Names and differences between the server's OpenAPI document and the client's types."""

# File -> records. A record is "Swift name=schema" or one name for both; an ending `*` marks what the API returns. The
# members of a returned record that are never null are not optional. In any other record only its required ones are not.
RECORDS = {
    "Flows": "Flow* FlowCreate",
    "FlowRuns": "FlowRun=FlowRunResponse* FlowRunCreate FlowRunUpdate FlowRunPolicy CreatedBy UpdatedBy FlowRunInput*",
    "States": "State* StateCreate StateDetails OrchestrationResult* StateAcceptDetails StateWaitDetails StateRejectDetails "
    "StateAbortDetails",
    "TaskRuns": "TaskRun* TaskRunCreate TaskRunUpdate TaskRunPolicy TaskRunResult FlowRunResult "
    "ParameterInput=Parameter ConstantInput=Constant",
    "Deployments": "Deployment=DeploymentResponse* DeploymentCreate DeploymentUpdate DeploymentFlowRunCreate "
    "DeploymentBranch DeploymentBranchingOptions DeploymentSchedule* DeploymentScheduleCreate DeploymentScheduleUpdate "
    "IntervalSchedule=IntervalSchedule-Input CronSchedule RRuleSchedule ConcurrencyOptions VersionInfo",
    "WorkPools": "WorkPool=WorkPoolResponse* WorkPoolCreate WorkPoolUpdate WorkPoolStorageConfiguration "
    "WorkPoolConcurrencyStatus* WorkQueue=WorkQueueResponse* WorkQueueCreate WorkQueueUpdate QueueFilter "
    "WorkQueueStatusDetail* WorkQueueHealthPolicy* WorkQueueConcurrencyStatus* WorkQueueConcurrencyStatusDetail* "
    "FlowRunSlotSummary* Worker=WorkerResponse* WorkerFlowRunResponse* WorkerMetadata Integration",
    "Blocks": "BlockType* BlockTypeCreate BlockTypeUpdate BlockSchema* BlockSchemaCreate BlockDocument* "
    "BlockDocumentCreate BlockDocumentUpdate",
    "Objects": "Variable* VariableCreate VariableUpdate Artifact* ArtifactCollection* ArtifactCreate ArtifactUpdate Log* "
    "LogCreate ServerDefaultResultStorage*",
    "Limits": "ConcurrencyLimit* ConcurrencyLimitCreate GlobalConcurrencyLimit=GlobalConcurrencyLimitResponse* "
    "GlobalConcurrencyLimitCreate=ConcurrencyLimitV2Create GlobalConcurrencyLimitUpdate=ConcurrencyLimitV2Update "
    "ConcurrencyLease=ConcurrencyLimitWithLeaseResponse* MinimalConcurrencyLimit=MinimalConcurrencyLimitResponse* "
    "ConcurrencyLeaseHolder",
    "Automations": "Automation* AutomationCore=AutomationCreate EventTrigger=EventTrigger-Input MetricTrigger "
    "MetricTriggerQuery CompoundTrigger=CompoundTrigger-Input SequenceTrigger=SequenceTrigger-Input",
    "Actions": "DoNothingAction=DoNothing RunDeploymentAction=RunDeployment-Input PauseDeploymentAction=PauseDeployment "
    "ResumeDeploymentAction=ResumeDeployment ResumeFlowRunAction=ResumeFlowRun CancelFlowRunAction=CancelFlowRun "
    "DeleteFlowRunAction=DeleteFlowRun ChangeFlowRunStateAction=ChangeFlowRunState PauseWorkQueueAction=PauseWorkQueue "
    "ResumeWorkQueueAction=ResumeWorkQueue SendNotificationAction=SendNotification CallWebhookAction=CallWebhook "
    "PauseAutomationAction=PauseAutomation ResumeAutomationAction=ResumeAutomation SuspendFlowRunAction=SuspendFlowRun "
    "PauseWorkPoolAction=PauseWorkPool ResumeWorkPoolAction=ResumeWorkPool DeclareIncidentAction=DeclareIncident",
    "Events": "EventPage* ReceivedEvent* EventCreate=Event EventFilter EventOccurredFilter EventNameFilter EventResourceFilter "
    "EventRelatedFilter EventAnyResourceFilter EventIDFilter EventTextFilter",
    "Cloud": "Workspace* IPAllowlist IPAllowlistEntry IPAllowlistMyAccessResponse* LatenessSla FrequencySla "
    "TimeToCompletionSla SlaMergeResponse*",
}

FILTERS = (
    "FlowFilter FlowRunFilter FlowRunFilterState TaskRunFilter TaskRunFilterState DeploymentFilter WorkPoolFilter "
    "WorkQueueFilter WorkerFilter LogFilter ArtifactFilter ArtifactCollectionFilter VariableFilter BlockTypeFilter "
    "BlockSchemaFilter BlockDocumentFilter AutomationFilter"
)

# Of the operators of these conditions, the server heeds only one.
SINGLE = {"FlowRunFilterStateType", "FlowRunFilterStateName", "TaskRunFilterStateType", "TaskRunFilterStateName"}

WORDS = (
    "ArtifactCollectionSort ArtifactSort AutomationSort BlockDocumentSort ConcurrencyLimitStrategy DeploymentSort "
    "DeploymentStatus EventOrder FilterMatch=Operator FlowRunSort FlowSort LogSort SetStateStatus StateType TaskRunSort "
    "VariableSort WorkPoolStatus WorkQueueStatus WorkerStatus BranchingScheduleHandling PrefectMetric MetricTriggerOperator "
    "SlaSeverity TriggerPosture TriggerRequirement RetryType LeaseHolderType ConcurrencyMode RunDeploymentSource"
)

# Words that the document does not define, or defines within a member.
OWN_WORDS = {
    "BranchingScheduleHandling": (["keep", "remove", "inactive"], "The treatment of a deployment's schedules in its branch."),
    "PrefectMetric": (["lateness", "duration", "successes"], "A metric that an automation observes."),
    "MetricTriggerOperator": (["<", "<=", ">", ">="], "A comparison of a metric with its threshold."),
    "SlaSeverity": (["minor", "low", "moderate", "high", "critical"], "The severity of a service level agreement."),
    "TriggerPosture": (["Reactive", "Proactive", "Metric"], "Whether a trigger awaits events, their absence or a metric."),
    "TriggerRequirement": (["any", "all"], "The triggers that a compound trigger requires."),
    "RetryType": (["in_process", "reschedule"], "The way in which a flow run is retried."),
    "LeaseHolderType": (["flow_run", "task_run", "deployment"], "The type of the object that holds slots."),
    "ConcurrencyMode": (["concurrency", "rate_limit"], "Whether slots are held or used up at a rate."),
    "RunDeploymentSource": (["selected", "inferred"], "The source of the deployment that an action uses."),
}

CASES = {"<": "less", "<=": "lessOrEqual", ">": "greater", ">=": "greaterOrEqual", "and_": "all", "or_": "any"}

# Union -> schemas by their cases. "type" is the discriminator; for "" the case is that of the first member that exists.
UNIONS = {
    "Schedule": ("", "The schedule of a deployment.", {
        "interval": "IntervalSchedule", "cron": "CronSchedule", "rrule": "RRuleSchedule"}),
    "OrchestrationDetails": ("type", "The reason of the server's answer to a proposed state.", {
        "accept_details": "StateAcceptDetails", "wait_details": "StateWaitDetails",
        "reject_details": "StateRejectDetails", "abort_details": "StateAbortDetails"}),
    "TaskRunInput": ("input_type", "The origin of an input of a task run.", {
        "task_run": "TaskRunResult", "flow_run": "FlowRunResult", "parameter": "ParameterInput",
        "constant": "ConstantInput"}),
    "AutomationTrigger": ("type", "The condition on which an automation acts.", {
        "event": "EventTrigger", "metric": "MetricTrigger", "compound": "CompoundTrigger",
        "sequence": "SequenceTrigger"}),
    "AutomationAction": ("type", "Something that an automation does.", {
        "do-nothing": "DoNothingAction", "run-deployment": "RunDeploymentAction",
        "pause-deployment": "PauseDeploymentAction", "resume-deployment": "ResumeDeploymentAction",
        "resume-flow-run": "ResumeFlowRunAction", "cancel-flow-run": "CancelFlowRunAction",
        "delete-flow-run": "DeleteFlowRunAction", "change-flow-run-state": "ChangeFlowRunStateAction",
        "pause-work-queue": "PauseWorkQueueAction", "resume-work-queue": "ResumeWorkQueueAction",
        "send-notification": "SendNotificationAction", "call-webhook": "CallWebhookAction",
        "pause-automation": "PauseAutomationAction", "resume-automation": "ResumeAutomationAction",
        "suspend-flow-run": "SuspendFlowRunAction", "pause-work-pool": "PauseWorkPoolAction",
        "resume-work-pool": "ResumeWorkPoolAction", "declare-incident": "DeclareIncidentAction"}),
    "ServiceLevelAgreement": ("", "A service level agreement of Prefect Cloud.", {
        "within": "LatenessSla", "stale_after": "FrequencySla", "duration": "TimeToCompletionSla"}),
}

# (schema, member) -> Swift type, where the document does not have it. Schemas are those of the document.
TYPES = {
    ("DeploymentSchedule", "schedule"): "Schedule", ("DeploymentScheduleCreate", "schedule"): "Schedule",
    ("DeploymentScheduleUpdate", "schedule"): "Schedule",
    ("OrchestrationResult", "details"): "OrchestrationDetails",
    ("TaskRun", "task_inputs"): "OrderedDictionary<String, [TaskRunInput]>",
    ("TaskRunCreate", "task_inputs"): "OrderedDictionary<String, [TaskRunInput]>",
    ("EventFilter", "related"): "OneOrMore<EventRelatedFilter>",
    ("EventFilter", "any_resource"): "OneOrMore<EventAnyResourceFilter>",
    ("FlowRunPolicy", "retry_type"): "RetryType", ("ConcurrencyLeaseHolder", "type"): "LeaseHolderType",
    ("RunDeployment-Input", "source"): "RunDeploymentSource",
    ("TaskRunPolicy", "retry_delay"): "OneOrMore<Double>",
    ("EventTrigger-Input", "posture"): "TriggerPosture", ("EventTrigger-Input", "match_related"): "OneOrMore<JSONObject>",
    ("MetricTrigger", "match_related"): "OneOrMore<JSONObject>",
}
for schema in ("Automation", "AutomationCreate"):
    TYPES[schema, "trigger"] = "AutomationTrigger"
    for member in ("actions", "actions_on_trigger", "actions_on_resolve"):
        TYPES[schema, member] = "[AutomationAction]"
for schema in ("CompoundTrigger-Input", "SequenceTrigger-Input"):
    TYPES[schema, "triggers"] = "[AutomationTrigger]"

# Numbers of seconds that are durations.
SECONDS = {"total_run_time", "estimated_run_time", "estimated_start_time_delta", "within", "range", "firing_for",
           "stale_after", "time_in_current_state"}

# Members that the document gives another name in Swift.
NAMES = {"operator": "match", "metadata_": "metadata"}
