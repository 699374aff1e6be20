public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
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

    /// Reads block documents, at most 200: `POST /block_documents/filter`. ``Pages`` reads more.
    ///
    /// - Parameters:
    ///   - blockTypes: The types of the documents.
    ///   - schemaType: A slug that Prefect's own client can send. Servers ignore it; use `blockTypes`.
    ///   - limit: The number of documents to read; `nil` means the server's limit, 200.
    ///   - includesSecrets: Whether the answer has the documents' secrets; otherwise they are masked.
    public func readBlockDocuments(
        blockDocuments: BlockDocumentFilter? = nil, blockTypes: BlockTypeFilter? = nil,
        blockSchemas: BlockSchemaFilter? = nil, schemaType: String? = nil, sort: BlockDocumentSort? = nil,
        limit: Int? = nil, offset: Int? = nil, includesSecrets: Bool = true, effort: RetryPolicy.Effort = .standard
    ) async throws -> [BlockDocument] {
        var body: JSONValue = .given(
            ("block_documents", blockDocuments?.jsonValue), ("block_types", blockTypes?.jsonValue),
            ("block_schemas", blockSchemas?.jsonValue), ("sort", sort?.jsonValue))
        body["block_schema_type"] = schemaType.orNull
        body["offset"] = offset.orNull
        body["limit"] = limit.orNull
        body["include_secrets"] = .bool(includesSecrets)
        return try await read(.post, ["block_documents", "filter"], body: body, effort: effort)
    }

    /// Reads the block documents of a type, at most 200: `GET /block_types/slug/{slug}/block_documents`.
    ///
    /// - Parameters:
    ///   - type: The slug of the blocks' type. The API answers 404 when there is no such type.
    ///   - limit: The number of documents to read; `nil` means the server's limit, 200.
    ///   - includesSecrets: Whether the answer has the documents' secrets; otherwise they are masked.
    public func readBlockDocuments(
        ofType type: String, limit: Int? = nil, offset: Int? = nil, includesSecrets: Bool = true,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> [BlockDocument] {
        var query = [(name: "include_secrets", value: "\(includesSecrets)")]
        if let offset { query.append((name: "offset", value: "\(offset)")) }
        if let limit { query.append((name: "limit", value: "\(limit)")) }
        let path: [APIPathPart] = ["block_types", "slug", .name(type), "block_documents"]
        return try await read(.get, path, query: query, effort: effort)
    }

    /// Creates a block document: `POST /block_documents/`. The API answers 409 when the type has one of this name.
    public func createBlockDocument(
        _ document: BlockDocumentCreate, effort: RetryPolicy.Effort = .standard
    ) async throws -> BlockDocument {
        var body = document.jsonValue
        // Members of a document that was read, which the API does not accept.
        for name in ["id", "block_schema", "block_type"] { body[name] = nil }
        return try await read(.post, ["block_documents", ""], body: body, effort: effort)
    }

    /// Changes a block document: `PATCH /block_documents/{id}`. Members that were never assigned stay as they are.
    ///
    /// The API merges the new data into the old data, unless ``BlockDocumentUpdate/mergeExistingData`` is `false`.
    public func updateBlockDocument(
        id: UUID, _ changes: BlockDocumentUpdate, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.patch, ["block_documents", .uuid(id)], body: changes.jsonValue, effort: effort)
    }

    /// Deletes a block document: `DELETE /block_documents/{id}`.
    public func deleteBlockDocument(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["block_documents", .uuid(id)], effort: effort)
    }
}
