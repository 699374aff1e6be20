public import FoundationEssentials
internal import HTTPTransport
internal import PrefectJSON

extension APIClient {
    /// Reads a block document: `GET /block_documents/{id}`.
    ///
    /// - Parameter includesSecrets: Whether the answer has the document's secrets; otherwise they are masked.
    public func readBlockDocument(
        id: UUID, includesSecrets: Bool = true, effort: RetryPolicy.Effort = .standard
    ) async throws -> BlockDocument {
        let query = [(name: "include_secrets", value: "\(includesSecrets)")]
        return try await read(.get, ["block_documents", .uuid(id)], query: query, effort: effort)
    }

    /// Reads a block document by its name: `GET /block_types/slug/{slug}/block_documents/name/{name}`.
    ///
    /// - Parameters:
    ///   - type: The slug of the block's type.
    ///   - includesSecrets: Whether the answer has the document's secrets; otherwise they are masked.
    public func readBlockDocument(
        named name: String, ofType type: String, includesSecrets: Bool = true,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> BlockDocument {
        let query = [(name: "include_secrets", value: "\(includesSecrets)")]
        let path: [APIPathPart] = ["block_types", "slug", .name(type), "block_documents", "name", .name(name)]
        return try await read(.get, path, query: query, effort: effort)
    }
}
