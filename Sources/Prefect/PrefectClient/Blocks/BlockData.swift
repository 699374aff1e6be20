public import OrderedCollections

extension APIClient {
    /// Reads the data of a block document with its secrets, also those of blocks that it refers to:
    /// `GET /block_types/slug/{slug}/block_documents/name/{name}`.
    ///
    /// - Parameter reference: The slug of the block's type and the name of the document, as `type/name`, for example
    ///   `secret/api-token`. Another form is an error before anything is sent.
    public func readBlockData(
        of reference: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> JSONObject {
        let parts = reference.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw APIError(
                invalid: "the block '\(reference.explanation)' has no valid name; use 'type/name'",
                operation: "GET /block_types/slug/{slug}/block_documents/name/{name}")
        }
        return try await readBlockDocument(named: String(parts[1]), ofType: String(parts[0]), effort: effort).data
    }
}
