public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Creates a deployment, or replaces the deployment of the flow with this name: `POST /deployments/`.
    ///
    /// Members that were never assigned are sent as empty lists and objects. The first run of an interval schedule
    /// without an anchor is counted from now. The API answers 404 for an unknown work pool.
    ///
    /// - Returns: The id of the deployment.
    public func createDeployment(
        _ deployment: DeploymentCreate, effort: RetryPolicy.Effort = .standard
    ) async throws -> UUID {
        var body = deployment
        body.schedules = (deployment.schedules ?? []).map(\.completed)
        body.parameters = deployment.parameters ?? [:]
        body.tags = deployment.tags ?? []
        body.labels = deployment.labels ?? [:]
        body.jobVariables = deployment.jobVariables ?? [:]
        let schema = deployment.parameterOpenAPISchema ?? [:]
        body.parameterOpenAPISchema = schema.isEmpty ? ["type": "object", "properties": [:]] : schema
        return try await createdID(.post, ["deployments", ""], body: body.jsonValue, effort: effort)
    }

    /// Changes a deployment: `PATCH /deployments/{id}`. Members that were never assigned stay as they are.
    public func updateDeployment(
        id: UUID, _ changes: DeploymentUpdate, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.patch, ["deployments", .uuid(id)], body: changes.jsonValue, effort: effort)
    }

    /// Pauses a deployment, so that its schedules create no runs: `PATCH /deployments/{id}`.
    public func pauseDeployment(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await setDeploymentPaused(id: id, true, effort: effort)
    }

    /// Resumes a paused deployment: `PATCH /deployments/{id}`.
    public func resumeDeployment(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await setDeploymentPaused(id: id, false, effort: effort)
    }

    /// Pauses or resumes a deployment: `PATCH /deployments/{id}`.
    public func setDeploymentPaused(
        id: UUID, _ isPaused: Bool, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await updateDeployment(id: id, DeploymentUpdate { $0.paused = isPaused }, effort: effort)
    }

    /// Creates a branch of a deployment on Prefect Cloud: `POST /deployments/{id}/branch`. A server has no such route.
    ///
    /// - Parameters:
    ///   - branch: The name of the branch.
    ///   - options: The treatment of the schedules; `nil` means the API's default, which removes them.
    ///   - overrides: The members in which the branch differs from the deployment.
    /// - Returns: The id of the new deployment.
    public func createDeploymentBranch(
        id: UUID, branch: String, options: DeploymentBranchingOptions? = nil, overrides: DeploymentUpdate? = nil,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> UUID {
        let body: JSONValue = [
            "branch": .string(branch), "options": options?.jsonValue ?? [:], "overrides": overrides.orNull,
        ]
        return try await createdID(.post, ["deployments", .uuid(id), "branch"], body: body, effort: effort)
    }

    /// Deletes a deployment and its planned runs: `DELETE /deployments/{id}`.
    ///
    /// A planned run is SCHEDULED and has never run. Planned runs that wait for a slot of a concurrency limit remain, and
    /// so do all other runs.
    public func deleteDeployment(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["deployments", .uuid(id)], effort: effort)
    }
}
