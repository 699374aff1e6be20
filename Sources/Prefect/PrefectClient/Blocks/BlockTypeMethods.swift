public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Creates a block type: `POST /block_types/`. The API answers 409 when a type has this slug.
    public func createBlockType(
        _ blockType: BlockTypeCreate, effort: RetryPolicy.Effort = .standard
    ) async throws -> BlockType {
        var body = blockType.jsonValue
        body["id"] = nil
        return try await read(.post, ["block_types", ""], body: body, effort: effort)
    }

    /// Reads a block type: `GET /block_types/{id}`.
    public func readBlockType(id: UUID, effort: RetryPolicy.Effort = .standard) async throws -> BlockType {
        try await read(.get, ["block_types", .uuid(id)], effort: effort)
    }

    /// Reads a block type by its slug, such as `aws-credentials`: `GET /block_types/slug/{slug}`.
    public func readBlockType(slug: String, effort: RetryPolicy.Effort = .standard) async throws -> BlockType {
        try await read(.get, ["block_types", "slug", .name(slug)], effort: effort)
    }

    /// Reads block types, at most 200: `POST /block_types/filter`. ``Pages`` reads more.
    ///
    /// - Parameter limit: The number of types to read; `nil` means the server's limit, 200.
    public func readBlockTypes(
        blockTypes: BlockTypeFilter? = nil, blockSchemas: BlockSchemaFilter? = nil, limit: Int? = nil,
        offset: Int? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> [BlockType] {
        let body: JSONValue = .given(
            ("block_types", blockTypes?.jsonValue), ("block_schemas", blockSchemas?.jsonValue),
            ("limit", limit?.jsonValue), ("offset", offset?.jsonValue))
        return try await read(.post, ["block_types", "filter"], body: body, effort: effort)
    }

    /// Changes a block type: `PATCH /block_types/{id}`. Members that were never assigned stay as they are.
    public func updateBlockType(
        id: UUID, _ changes: BlockTypeUpdate, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.patch, ["block_types", .uuid(id)], body: changes.jsonValue, effort: effort)
    }

    /// Deletes a block type and its blocks: `DELETE /block_types/{id}`. The API answers 403 for a protected type.
    public func deleteBlockType(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["block_types", .uuid(id)], effort: effort)
    }
}
