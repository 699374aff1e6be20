internal import HTTPTransport
public import PrefectJSON

extension APIClient {
    /// Reads a block document with its secrets: `GET /block_documents/{id}`. Returns the document's data.
    public func readBlockDocument(
        id: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> JSONValue {
        let request = APIRequest(.get, ["block_documents", .id(id)], query: [("include_secrets", "true")])
        return try await json(request, effort: effort)["data"] ?? [:]
    }

    /// Reads a block document by name with its secrets:
    /// `GET /block_types/slug/{slug}/block_documents/name/{name}`. Returns the document's data.
    public func readBlockDocument(
        typeSlug: String, name: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> JSONValue {
        let path: [APIPathPart] = [
            "block_types", "slug", .name(typeSlug), "block_documents", "name", .name(name),
        ]
        let request = APIRequest(.get, path, query: [("include_secrets", "true")])
        return try await json(request, effort: effort)["data"] ?? [:]
    }

    /// Reads a variable's value: `GET /variables/name/{name}`; `nil` when no variable has that name.
    public func readVariable(
        named name: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> JSONValue? {
        do {
            let request = APIRequest(.get, ["variables", "name", .name(name)])
            return try await json(request, effort: effort)["value"] ?? .null
        } catch let error as APIError where error.isNotFound {
            return nil
        }
    }
}
