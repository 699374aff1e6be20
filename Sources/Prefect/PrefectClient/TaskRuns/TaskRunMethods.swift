public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Creates a task run: `POST /task_runs/`. Without a state, the run is PENDING.
    public func createTaskRun(
        _ run: TaskRunCreate, effort: RetryPolicy.Effort = .standard
    ) async throws -> TaskRun {
        var body = run
        let state = run.state ?? StateCreate(type: .pending, name: "Pending")
        body.state = state.withDetails { _ in }
        body.name = run.name
        body.flowRunID = run.flowRunID
        body.tags = run.tags ?? []
        body.labels = run.labels ?? [:]
        body.taskInputs = run.taskInputs ?? [:]
        var policy = run.empiricalPolicy ?? TaskRunPolicy()
        policy.retryDelaySeconds = policy.retryDelaySeconds ?? 0
        body.empiricalPolicy = policy
        return try await read(.post, ["task_runs", ""], body: body.jsonValue, effort: effort)
    }

    /// Reads a task run: `GET /task_runs/{id}`.
    public func readTaskRun(id: UUID, effort: RetryPolicy.Effort = .standard) async throws -> TaskRun {
        try await read(.get, ["task_runs", .uuid(id)], effort: effort)
    }

    /// Reads task runs, at most 200: `POST /task_runs/filter`. Runs that match all filters are selected; without one,
    /// all runs. ``Pages`` reads more.
    ///
    /// - Parameter limit: The number of runs to read; `nil` means the server's limit, 200.
    public func readTaskRuns(
        flows: FlowFilter? = nil, flowRuns: FlowRunFilter? = nil, taskRuns: TaskRunFilter? = nil,
        deployments: DeploymentFilter? = nil, sort: TaskRunSort? = nil, limit: Int? = nil, offset: Int = 0,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> [TaskRun] {
        let body: JSONValue = [
            "flows": flows.orNull, "flow_runs": flowRuns.orNull, "task_runs": taskRuns.orNull,
            "deployments": deployments.orNull, "sort": sort.orNull, "limit": limit.orNull, "offset": .int(offset),
        ]
        return try await read(.post, ["task_runs", "filter"], body: body, effort: effort)
    }

    /// Renames a task run: `PATCH /task_runs/{id}`.
    public func setTaskRunName(
        id: UUID, to name: String, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(
            .patch, ["task_runs", .uuid(id)], body: TaskRunUpdate { $0.name = name }.jsonValue, effort: effort)
    }

    /// Proposes a state for a task run: `POST /task_runs/{id}/set_state`.
    ///
    /// The API can refuse the state or put it off without an error: read ``OrchestrationResult/status``.
    ///
    /// - Parameter force: Whether the state is written without the rules of the API.
    public func setTaskRunState(
        id: UUID, _ state: StateCreate, force: Bool = false, effort: RetryPolicy.Effort = .standard
    ) async throws -> OrchestrationResult {
        let state = state.withDetails { $0.taskRunID = id }
        let body: JSONValue = ["state": state.jsonValue, "force": .bool(force)]
        return try await read(.post, ["task_runs", .uuid(id), "set_state"], body: body, effort: effort)
    }

    /// Reads the states that a task run had, the oldest first: `GET /task_run_states/`. Empty for an unknown run.
    public func readTaskRunStates(
        taskRunID: UUID, effort: RetryPolicy.Effort = .standard
    ) async throws -> [State] {
        let query = [(name: "task_run_id", value: taskRunID.text)]
        return try await read(.get, ["task_run_states", ""], query: query, effort: effort)
    }

    /// Deletes a task run: `DELETE /task_runs/{id}`.
    public func deleteTaskRun(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["task_runs", .uuid(id)], effort: effort)
    }
}
