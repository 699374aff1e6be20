public import FoundationEssentials
internal import HTTPTransport
public import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// The API's URL with a slash at its end. Requests add their paths to it.
    public var apiURL: String { configuration.url + "/" }

    /// Checks that the API answers: `GET /health`. The method never throws.
    ///
    /// - Returns: The error that the request ended with; `nil` when the API is healthy.
    public func checkHealth(effort: RetryPolicy.Effort = .standard) async -> (any Error)? {
        do {
            try await perform(.get, ["health"], effort: effort)
            return nil
        } catch {
            return error
        }
    }

    /// Reads the greeting of the API: `GET /hello`.
    public func hello(effort: RetryPolicy.Effort = .standard) async throws -> String {
        try await read(.get, ["hello"], effort: effort)
    }

    /// Reads the types of work pools that Prefect and its integrations have, with their base job templates:
    /// `GET /collections/views/aggregate-worker-metadata`.
    ///
    /// - Returns: Metadata by the name of the package, then by the type.
    public func readWorkerMetadata(effort: RetryPolicy.Effort = .standard) async throws -> JSONObject {
        try await readCollectionView(named: "aggregate-worker-metadata", effort: effort)
    }

    /// Reads a view of the registry of Prefect's integrations: `GET /collections/views/{view}`.
    ///
    /// - Parameter view: `aggregate-worker-metadata`, `aggregate-block-metadata` or `aggregate-flow-metadata`.
    public func readCollectionView(
        named view: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> JSONObject {
        try await read(.get, ["collections", "views", .name(view)], effort: effort)
    }

    /// Reads which block stores results by default: `GET /admin/storage`.
    public func readServerDefaultResultStorage(
        effort: RetryPolicy.Effort = .standard
    ) async throws -> ServerDefaultResultStorage {
        try await read(.get, ["admin", "storage"], effort: effort)
    }

    /// Sets the block that stores results by default: `PUT /admin/storage`. The API answers 404 for an unknown block,
    /// and 422 for a block that cannot store results.
    ///
    /// - Parameter blockID: The id of the block document.
    @discardableResult
    public func updateServerDefaultResultStorage(
        blockID: UUID, effort: RetryPolicy.Effort = .standard
    ) async throws -> ServerDefaultResultStorage {
        let body: JSONValue = ["default_result_storage_block_id": blockID.jsonValue]
        return try await read(.put, ["admin", "storage"], body: body, effort: effort)
    }

    /// Removes the default storage of results: `DELETE /admin/storage`.
    public func clearServerDefaultResultStorage(effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["admin", "storage"], effort: effort)
    }
}
