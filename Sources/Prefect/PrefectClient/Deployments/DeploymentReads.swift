public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Reads a deployment: `GET /deployments/{id}`.
    public func readDeployment(id: UUID, effort: RetryPolicy.Effort = .standard) async throws -> Deployment {
        try await read(.get, ["deployments", .uuid(id)], effort: effort)
    }

    /// Reads a deployment by its name and its flow's name: `GET /deployments/name/{flow}/{deployment}`.
    public func readDeployment(
        named name: String, ofFlow flow: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> Deployment {
        try await read(.get, ["deployments", "name", .name(flow), .name(name)], effort: effort)
    }

    /// Reads a deployment by its full name: `GET /deployments/name/{flow}/{deployment}`.
    ///
    /// - Parameter name: The names of the flow and of the deployment, as `flow/deployment`. Another form is an error
    ///   before anything is sent.
    public func readDeployment(
        named name: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> Deployment {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw APIError(
                invalid: "the deployment '\(name.explanation)' has no valid name; use 'flow/deployment'",
                operation: "GET /deployments/name/{flow}/{deployment}")
        }
        return try await readDeployment(named: String(parts[1]), ofFlow: String(parts[0]), effort: effort)
    }

    /// Reads deployments, at most 200: `POST /deployments/filter`. Deployments that match all filters are selected;
    /// without one, all deployments. ``Pages`` reads more.
    ///
    /// - Parameter limit: The number of deployments to read; `nil` means the server's limit, 200.
    public func readDeployments(
        flows: FlowFilter? = nil, flowRuns: FlowRunFilter? = nil, taskRuns: TaskRunFilter? = nil,
        deployments: DeploymentFilter? = nil, workPools: WorkPoolFilter? = nil, workQueues: WorkQueueFilter? = nil,
        sort: DeploymentSort? = nil, limit: Int? = nil, offset: Int = 0, effort: RetryPolicy.Effort = .standard
    ) async throws -> [Deployment] {
        var body = JSONValue.selection(flows, flowRuns, taskRuns, deployments, workPools, workQueues)
        body["sort"] = sort.orNull
        body["limit"] = limit.orNull
        body["offset"] = .int(offset)
        return try await read(.post, ["deployments", "filter"], body: body, effort: effort)
    }
}
