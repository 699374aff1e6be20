public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Creates a block schema, or finds the same one: `POST /block_schemas/`.
    public func createBlockSchema(
        _ schema: BlockSchemaCreate, effort: RetryPolicy.Effort = .standard
    ) async throws -> BlockSchema {
        var body = schema.jsonValue
        // The API computes these members.
        for name in ["id", "block_type", "checksum"] { body[name] = nil }
        return try await read(.post, ["block_schemas", ""], body: body, effort: effort)
    }

    /// Reads a block schema by its checksum: `GET /block_schemas/checksum/{checksum}`.
    ///
    /// - Parameters:
    ///   - checksum: The checksum, such as `sha256:3170…`.
    ///   - version: The version; `nil` means the newest schema with this checksum.
    public func readBlockSchema(
        checksum: String, version: String? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> BlockSchema {
        let query = version.map { [(name: "version", value: $0)] } ?? []
        return try await read(.get, ["block_schemas", "checksum", .name(checksum)], query: query, effort: effort)
    }

    /// Reads block schemas, the newest first, at most 200: `POST /block_schemas/filter`. ``Pages`` reads more.
    ///
    /// - Parameter limit: The number of schemas to read; `nil` means the server's limit, 200.
    public func readBlockSchemas(
        blockSchemas: BlockSchemaFilter? = nil, limit: Int? = nil, offset: Int? = nil,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> [BlockSchema] {
        let body: JSONValue = .given(
            ("block_schemas", blockSchemas?.jsonValue), ("limit", limit?.jsonValue), ("offset", offset?.jsonValue))
        return try await read(.post, ["block_schemas", "filter"], body: body, effort: effort)
    }

    /// Reads the newest schema of a block type: `POST /block_schemas/filter`.
    ///
    /// - Returns: The schema; `nil` when the type has none or does not exist.
    public func readMostRecentBlockSchema(
        ofBlockType blockTypeID: UUID, effort: RetryPolicy.Effort = .standard
    ) async throws -> BlockSchema? {
        let body: JSONValue = [
            "block_schemas": ["block_type_id": ["any_": [blockTypeID.jsonValue]]], "limit": 1,
        ]
        let schemas: [BlockSchema] = try await read(.post, ["block_schemas", "filter"], body: body, effort: effort)
        return schemas.first
    }
}
