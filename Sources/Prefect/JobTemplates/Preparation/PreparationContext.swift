public import OrderedCollections
public import PrefectJSON

/// The data about a flow run from which its job configuration is prepared.
public struct PreparationContext: Sendable {
    /// The work pool that the run was taken from.
    public struct WorkPool: Sendable, Hashable {
        /// The id of the pool.
        public var id: String
        /// The name of the pool.
        public var name: String

        /// A pool.
        public init(id: String, name: String) {
            self.id = id
            self.name = name
        }
    }

    /// Labels that a backend adds to the common ones. Each group follows the common labels of its kind directly.
    public struct BackendLabels: Sendable, Hashable {
        /// The labels after those of the flow run.
        public var flowRun: OrderedDictionary<String, String>
        /// The labels after those of the flow.
        public var flow: OrderedDictionary<String, String>
        /// The labels after those of the deployment.
        public var deployment: OrderedDictionary<String, String>

        /// A context with these values.
        public init(
            flowRun: OrderedDictionary<String, String> = [:], flow: OrderedDictionary<String, String> = [:],
            deployment: OrderedDictionary<String, String> = [:]
        ) {
            self.flowRun = flowRun
            self.flow = flow
            self.deployment = deployment
        }
    }

    /// The flow run as returned by the API.
    public var flowRun: JSONValue
    /// The flow as returned by the API.
    public var flow: JSONValue?
    /// The deployment as returned by the API; `nil` for a run without one.
    public var deployment: JSONValue?
    /// The work pool of the run, if it is known.
    public var workPool: WorkPool?
    /// The name of the worker, if it is known.
    public var workerName: String?
    /// The worker's id, when the API has assigned one.
    public var workerID: String?
    /// The configured Prefect settings, by their environment names, in the order in which jobs get them.
    public var settingsEnvironment: [(name: String, value: String)]
    /// The worker's own environment, for placeholders like `{{ $HOST }}` in the job's name.
    public var environment: [String: String]
    /// The version of Prefect that jobs are labelled with.
    public var prefectVersion: String
    /// Labels that the backend adds.
    public var backendLabels: BackendLabels
    /// The trace that the job continues; by default the trace of the flow run.
    public var traceContext: TraceContext?

    /// A context with these values.
    public init(
        flowRun: JSONValue, flow: JSONValue?, deployment: JSONValue? = nil, workPool: WorkPool? = nil,
        workerName: String? = nil, workerID: String? = nil,
        settingsEnvironment: [(name: String, value: String)] = [], environment: [String: String] = [:],
        prefectVersion: String = "3.8.8", backendLabels: BackendLabels = BackendLabels(),
        traceContext: TraceContext? = nil
    ) {
        self.flowRun = flowRun
        self.flow = flow
        self.deployment = deployment
        self.workPool = workPool
        self.workerName = workerName
        self.workerID = workerID
        self.settingsEnvironment = settingsEnvironment
        self.environment = environment
        self.prefectVersion = prefectVersion
        self.backendLabels = backendLabels
        self.traceContext = traceContext ?? TraceContext(ofFlowRun: flowRun)
    }
}

extension PreparationContext {
    /// The labels of the run and of its related objects, including the backend's. Later labels override earlier ones.
    var labels: OrderedDictionary<String, String> {
        var labels: OrderedDictionary<String, String> = [:]
        func add(_ key: String, _ value: String?) {
            if let value { labels["prefect.io/\(key)"] = value }
        }
        func add(_ group: OrderedDictionary<String, String>) {
            labels.merge(group) { $1 }
        }
        add("flow-run-id", flowRun["id"]?.stringValue)
        add("flow-run-name", flowRun["name"]?.stringValue)
        add("version", prefectVersion)
        add(backendLabels.flowRun)
        add("work-pool-name", workPool?.name)
        add("work-pool-id", workPool?.id)
        add("worker-name", workerName)
        add("flow-id", flow?["id"]?.stringValue)
        add("flow-name", flow?["name"]?.stringValue)
        add(backendLabels.flow)
        add("deployment-id", deployment?["id"]?.stringValue)
        add("deployment-name", deployment?["name"]?.stringValue)
        add("deployment-updated", deployment?["updated"]?.stringValue.flatMap { Timestamp($0)?.pythonISOFormat })
        add(backendLabels.deployment)
        return labels
    }

    /// The environment of every job: the settings, then the run and the objects that its API requests are attributed
    /// to. The trace that the run is part of is added in the variable that OpenTelemetry reads.
    var baseEnvironment: OrderedDictionary<String, String?> {
        var environment: OrderedDictionary<String, String?> = [:]
        for (name, value) in settingsEnvironment { environment[name] = .some(value) }
        func add(_ name: String, _ value: String?) {
            if let value { environment["PREFECT__\(name)"] = .some(value) }
        }
        func nonEmpty(_ value: JSONValue?) -> String? {
            guard let text = value?.stringValue, !text.isEmpty else { return nil }
            return text
        }
        add("FLOW_RUN_ID", flowRun["id"]?.stringValue)
        add("WORKER_ID", workerID)
        add("WORKER_NAME", workerName)
        add("FLOW_ID", nonEmpty(flowRun["flow_id"]))
        add("FLOW_NAME", nonEmpty(flow?["name"]))
        add("DEPLOYMENT_ID", nonEmpty(flowRun["deployment_id"]))
        add("DEPLOYMENT_NAME", nonEmpty(deployment?["name"]))
        if let traceContext { environment["TRACEPARENT"] = .some(traceContext.traceparent) }
        return environment
    }

    /// The values for placeholders in the job's name: `ctx.flow` and `ctx.flow_run`.
    var nameValues: JSONValue {
        ["ctx": ["flow": APIObject.flow(flow ?? [:]), "flow_run": APIObject.flowRun(flowRun)]]
    }
}

/// Converts the API's objects for templates: every field is present, and times have one form.
private enum APIObject {
    static func flow(_ flow: JSONValue) -> JSONValue {
        guard flow.objectValue?.isEmpty == false else { return flow }
        return completed(flow, with: ["created": nil, "updated": nil, "tags": [], "labels": [:]])
    }

    static func flowRun(_ flowRun: JSONValue) -> JSONValue {
        completed(
            flowRun,
            with: [
                "created": nil, "updated": nil, "state_id": nil, "deployment_id": nil, "deployment_version": nil,
                "work_queue_name": nil, "flow_version": nil, "parameters": [:], "idempotency_key": nil, "context": [:],
                "tags": [], "labels": [:], "parent_task_run_id": nil, "run_count": 0, "expected_start_time": nil,
                "next_scheduled_start_time": nil, "start_time": nil, "end_time": nil, "total_run_time": 0.0,
                "estimated_run_time": 0.0, "estimated_start_time_delta": 0.0, "auto_scheduled": false,
                "infrastructure_document_id": nil, "infrastructure_pid": nil, "created_by": nil, "work_queue_id": nil,
                "work_pool_id": nil, "work_pool_name": nil, "state": nil, "job_variables": nil, "state_type": nil,
                "state_name": nil,
                "empirical_policy": [
                    "max_retries": 0, "retry_delay_seconds": 0.0, "retries": nil, "retry_delay": nil, "pause_keys": [],
                    "resuming": false, "retry_type": nil,
                ],
            ])
    }

    private static let times = [
        "created", "updated", "expected_start_time", "next_scheduled_start_time", "start_time", "end_time",
    ]

    private static func completed(_ object: JSONValue, with defaults: JSONValue) -> JSONValue {
        guard var members = object.objectValue else { return defaults }
        members.merge(defaults.objectValue ?? [:]) { present, _ in present }
        for key in times {
            guard let text = members[key]?.stringValue, let time = Timestamp(utc: text) else { continue }
            members[key] = .string(time.apiFormat)
        }
        return .object(members)
    }
}
