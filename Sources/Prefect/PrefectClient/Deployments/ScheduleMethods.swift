public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Adds schedules to a deployment: `POST /deployments/{id}/schedules`.
    ///
    /// The first run of an interval schedule without an anchor is counted from now.
    public func createDeploymentSchedules(
        deploymentID: UUID, _ schedules: [DeploymentScheduleCreate], effort: RetryPolicy.Effort = .standard
    ) async throws -> [DeploymentSchedule] {
        try await read(
            .post, ["deployments", .uuid(deploymentID), "schedules"], body: schedules.map(\.completed).jsonValue,
            effort: effort)
    }

    /// Reads the schedules of a deployment: `GET /deployments/{id}/schedules`.
    public func readDeploymentSchedules(
        deploymentID: UUID, effort: RetryPolicy.Effort = .standard
    ) async throws -> [DeploymentSchedule] {
        try await read(.get, ["deployments", .uuid(deploymentID), "schedules"], effort: effort)
    }

    /// Changes a schedule: `PATCH /deployments/{id}/schedules/{schedule_id}`. Members that were never assigned stay as
    /// they are.
    public func updateDeploymentSchedule(
        deploymentID: UUID, id: UUID, _ changes: DeploymentScheduleUpdate, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(
            .patch, ["deployments", .uuid(deploymentID), "schedules", .uuid(id)], body: changes.jsonValue,
            effort: effort)
    }

    /// Deletes a schedule: `DELETE /deployments/{id}/schedules/{schedule_id}`.
    public func deleteDeploymentSchedule(
        deploymentID: UUID, id: UUID, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.delete, ["deployments", .uuid(deploymentID), "schedules", .uuid(id)], effort: effort)
    }
}

extension DeploymentScheduleCreate {
    /// The schedule with the members that the API has no default for.
    var completed: DeploymentScheduleCreate {
        var completed = self
        completed.parameters = parameters ?? [:]
        if case .interval(var interval) = schedule, interval.anchorDate == nil {
            interval.anchorDate = .now
            completed.schedule = .interval(interval)
        }
        return completed
    }
}
