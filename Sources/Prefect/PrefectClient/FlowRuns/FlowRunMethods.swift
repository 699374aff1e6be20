public import FoundationEssentials
internal import HTTPTransport
public import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Creates a flow run without a deployment: `POST /flow_runs/`.
    public func createFlowRun(
        _ run: FlowRunCreate, effort: RetryPolicy.Effort = .standard
    ) async throws -> FlowRun {
        try await read(.post, ["flow_runs", ""], body: run.jsonValue, effort: effort)
    }

    /// Creates a run of the flow with this name, and the flow if there is none: `POST /flows/`, then
    /// `POST /flow_runs/`.
    ///
    /// - Parameters:
    ///   - flow: The name of the flow.
    ///   - retryDelay: The pause before a retry. Whole seconds are sent.
    ///   - state: The first state; `nil` means PENDING.
    /// - Returns: The run with `parameters` as they were given.
    public func createFlowRun(
        ofFlow flow: String, version: String? = nil, retries: Int = 0, retryDelay: Duration = .zero,
        name: String? = nil, parameters: JSONObject = [:], context: JSONObject = [:], tags: [String] = [],
        parentTaskRunID: UUID? = nil, state: StateCreate? = nil, workPoolName: String? = nil,
        workQueueName: String? = nil, jobVariables: JSONObject? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> FlowRun {
        let flowID = try await createFlow(named: flow, effort: effort)
        let run = FlowRunCreate(flowID: flowID) {
            $0.name = name
            $0.flowVersion = version
            $0.parameters = parameters
            $0.context = context
            $0.tags = tags
            $0.parentTaskRunID = parentTaskRunID
            $0.state = state ?? StateCreate(type: .pending) { $0.name = "Pending" }
            $0.empiricalPolicy = FlowRunPolicy {
                $0.retries = retries
                $0.retryDelay = Int(clamping: retryDelay.components.seconds)
            }
            $0.assignIfPresent("work_pool_name", workPoolName)
            $0.assignIfPresent("work_queue_name", workQueueName)
            $0.assignIfPresent("job_variables", jobVariables)
        }
        var created = try await createFlowRun(run, effort: effort)
        created.parameters = parameters
        return created
    }

    /// Reads a flow run: `GET /flow_runs/{id}`.
    public func readFlowRun(id: UUID, effort: RetryPolicy.Effort = .standard) async throws -> FlowRun {
        try await read(.get, ["flow_runs", .uuid(id)], effort: effort)
    }

    /// Reads flow runs, at most 200: `POST /flow_runs/filter`. Runs that match all filters are selected; without one,
    /// all runs. ``Pages`` reads more.
    ///
    /// - Parameter limit: The number of runs to read; `nil` means the server's limit, 200.
    public func readFlowRuns(
        flows: FlowFilter? = nil, flowRuns: FlowRunFilter? = nil, taskRuns: TaskRunFilter? = nil,
        deployments: DeploymentFilter? = nil, workPools: WorkPoolFilter? = nil, workQueues: WorkQueueFilter? = nil,
        sort: FlowRunSort? = nil, limit: Int? = nil, offset: Int = 0, effort: RetryPolicy.Effort = .standard
    ) async throws -> [FlowRun] {
        var body = JSONValue.selection(flows, flowRuns, taskRuns, deployments, workPools, workQueues)
        body["sort"] = sort.orNull
        body["limit"] = limit.orNull
        body["offset"] = .int(offset)
        return try await read(.post, ["flow_runs", "filter"], body: body, effort: effort)
    }

    /// Counts flow runs: `POST /flow_runs/count`. The filters are those of `readFlowRuns`.
    public func countFlowRuns(
        flows: FlowFilter? = nil, flowRuns: FlowRunFilter? = nil, taskRuns: TaskRunFilter? = nil,
        deployments: DeploymentFilter? = nil, workPools: WorkPoolFilter? = nil, workQueues: WorkQueueFilter? = nil,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> Int {
        let body = JSONValue.selection(flows, flowRuns, taskRuns, deployments, workPools, workQueues)
        return try await read(.post, ["flow_runs", "count"], body: body, effort: effort)
    }

    /// Changes a flow run: `PATCH /flow_runs/{id}`. Members that were never assigned stay as they are.
    ///
    /// Job variables can be changed only while the run is SCHEDULED; otherwise the API answers 400.
    public func updateFlowRun(
        id: UUID, _ changes: FlowRunUpdate, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.patch, ["flow_runs", .uuid(id)], body: changes.jsonValue, effort: effort)
    }

    /// Renames a flow run: `PATCH /flow_runs/{id}`.
    public func setFlowRunName(
        id: UUID, to name: String, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await updateFlowRun(id: id, FlowRunUpdate { $0.name = name }, effort: effort)
    }

    /// Adds labels to a flow run, or replaces those with the same names: `PATCH /flow_runs/{id}/labels`.
    ///
    /// - Parameter labels: Booleans, numbers and texts.
    public func updateFlowRunLabels(
        id: UUID, _ labels: JSONObject, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.patch, ["flow_runs", .uuid(id), "labels"], body: labels.jsonValue, effort: effort)
    }

    /// Deletes a flow run: `DELETE /flow_runs/{id}`.
    public func deleteFlowRun(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["flow_runs", .uuid(id)], effort: effort)
    }
}
