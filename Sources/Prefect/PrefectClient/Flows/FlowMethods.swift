public import FoundationEssentials
internal import HTTPTransport
public import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Creates a flow, or finds the flow with this name: `POST /flows/`.
    ///
    /// - Returns: The id of the flow.
    public func createFlow(
        named name: String, tags: [String] = [], labels: JSONObject = [:], effort: RetryPolicy.Effort = .standard
    ) async throws -> UUID {
        let flow = FlowCreate(name: name) {
            $0.tags = tags
            $0.labels = labels
        }
        return try await createdID(.post, ["flows", ""], body: flow.jsonValue, effort: effort)
    }

    /// Reads a flow: `GET /flows/{id}`.
    public func readFlow(id: UUID, effort: RetryPolicy.Effort = .standard) async throws -> Flow {
        try await read(.get, ["flows", .uuid(id)], effort: effort)
    }

    /// Reads a flow by its name: `GET /flows/name/{name}`.
    public func readFlow(named name: String, effort: RetryPolicy.Effort = .standard) async throws -> Flow {
        try await read(.get, ["flows", "name", .name(name)], effort: effort)
    }

    /// Reads flows, at most 200: `POST /flows/filter`. Flows of all filters are selected; without one, all flows.
    ///
    /// - Parameter limit: The number of flows to read; `nil` means the server's limit, 200.
    public func readFlows(
        flows: FlowFilter? = nil, flowRuns: FlowRunFilter? = nil, taskRuns: TaskRunFilter? = nil,
        deployments: DeploymentFilter? = nil, workPools: WorkPoolFilter? = nil, sort: FlowSort? = nil,
        limit: Int? = nil, offset: Int = 0, effort: RetryPolicy.Effort = .standard
    ) async throws -> [Flow] {
        // The route knows no filter of work queues. Prefect's own client sends one without effect.
        let body: JSONValue = [
            "flows": flows.orNull, "flow_runs": flowRuns.orNull, "task_runs": taskRuns.orNull,
            "deployments": deployments.orNull, "work_pools": workPools.orNull, "work_queues": .null,
            "sort": sort.orNull, "limit": limit.orNull, "offset": .int(offset),
        ]
        return try await read(.post, ["flows", "filter"], body: body, effort: effort)
    }

    /// Deletes a flow with its deployments and flow runs: `DELETE /flows/{id}`.
    public func deleteFlow(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["flows", .uuid(id)], effort: effort)
    }
}
