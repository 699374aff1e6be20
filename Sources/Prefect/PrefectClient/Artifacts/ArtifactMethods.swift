public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Creates an artifact: `POST /artifacts/`. An artifact with a key becomes the latest one of its key.
    ///
    /// Prefect's Python client also emits an event. ``createEvents(_:effort:)`` sends that event:
    ///
    /// ```swift
    /// let artifact = try await client.createArtifact(report)
    /// try await client.createEvents([.artifactCreated(artifact)])
    /// ```
    public func createArtifact(
        _ artifact: ArtifactCreate, effort: RetryPolicy.Effort = .standard
    ) async throws -> Artifact {
        try await read(.post, ["artifacts", ""], body: artifact.jsonValue, effort: effort)
    }

    /// Reads artifacts, at most 200: `POST /artifacts/filter`. ``Pages`` reads more.
    ///
    /// - Parameter limit: The number of artifacts to read; `nil` means the server's limit, 200.
    public func readArtifacts(
        artifacts: ArtifactFilter? = nil, flowRuns: FlowRunFilter? = nil, taskRuns: TaskRunFilter? = nil,
        sort: ArtifactSort? = nil, limit: Int? = nil, offset: Int = 0, effort: RetryPolicy.Effort = .standard
    ) async throws -> [Artifact] {
        let body = Self.artifactSelection(artifacts, flowRuns, taskRuns, sort, limit, offset)
        return try await read(.post, ["artifacts", "filter"], body: body, effort: effort)
    }

    /// Reads the latest artifacts of keys, at most 200: `POST /artifacts/latest/filter`. ``Pages`` reads more.
    ///
    /// - Parameter limit: The number of artifacts to read; `nil` means the server's limit, 200.
    public func readLatestArtifacts(
        artifacts: ArtifactCollectionFilter? = nil, flowRuns: FlowRunFilter? = nil, taskRuns: TaskRunFilter? = nil,
        sort: ArtifactCollectionSort? = nil, limit: Int? = nil, offset: Int = 0,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> [ArtifactCollection] {
        let body = Self.artifactSelection(artifacts, flowRuns, taskRuns, sort, limit, offset)
        return try await read(.post, ["artifacts", "latest", "filter"], body: body, effort: effort)
    }

    /// Changes an artifact: `PATCH /artifacts/{id}`. Members that were never assigned stay as they are.
    ///
    /// Prefect's Python client also emits an event, which is ``EventCreate/artifactUpdated(id:_:)``.
    public func updateArtifact(
        id: UUID, _ changes: ArtifactUpdate, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.patch, ["artifacts", .uuid(id)], body: changes.jsonValue, effort: effort)
    }

    /// Deletes an artifact: `DELETE /artifacts/{id}`.
    public func deleteArtifact(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["artifacts", .uuid(id)], effort: effort)
    }

    private static func artifactSelection(
        _ artifacts: (some JSONConvertible)?, _ flowRuns: FlowRunFilter?, _ taskRuns: TaskRunFilter?,
        _ sort: (some JSONConvertible)?, _ limit: Int?, _ offset: Int
    ) -> JSONValue {
        [
            "artifacts": artifacts.orNull, "flow_runs": flowRuns.orNull, "task_runs": taskRuns.orNull,
            "limit": limit.orNull, "offset": .int(offset), "sort": sort.orNull,
        ]
    }
}
