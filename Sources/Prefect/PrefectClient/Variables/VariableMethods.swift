internal import HTTPTransport
internal import OrderedCollections
public import PrefectJSON

extension APIClient {
    /// Creates a variable: `POST /variables/`. The API answers 409 when a variable has this name.
    public func createVariable(
        _ variable: VariableCreate, effort: RetryPolicy.Effort = .standard
    ) async throws -> Variable {
        try await read(.post, ["variables", ""], body: variable.jsonValue, effort: effort)
    }

    /// Reads a variable: `GET /variables/name/{name}`.
    ///
    /// - Returns: The variable; `nil` when none has this name.
    public func readVariable(named name: String, effort: RetryPolicy.Effort = .standard) async throws -> Variable? {
        do {
            return try await read(.get, ["variables", "name", .name(name)], effort: effort)
        } catch let error as APIError where error.isNotFound {
            return nil
        }
    }

    /// Reads the value of a variable: `GET /variables/name/{name}`.
    ///
    /// - Returns: The value, which may be `null`; `nil` when no variable has this name.
    public func readVariableValue(
        named name: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> JSONValue? {
        try await readVariable(named: name, effort: effort).map { $0.value ?? .null }
    }

    /// Reads variables, at most 200: `POST /variables/filter`.
    ///
    /// - Parameter limit: The number of variables to read; `nil` means the server's limit, 200.
    public func readVariables(
        variables: VariableFilter? = nil, sort: VariableSort? = nil, limit: Int? = nil, offset: Int? = nil,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> [Variable] {
        var body: JSONValue = ["limit": limit.orNull]
        if let variables { body["variables"] = variables.jsonValue }
        if let sort { body["sort"] = sort.jsonValue }
        if let offset { body["offset"] = .int(offset) }
        return try await read(.post, ["variables", "filter"], body: body, effort: effort)
    }

    /// Changes a variable: `PATCH /variables/name/{name}`. Members that were never assigned stay as they are.
    public func updateVariable(
        named name: String, _ changes: VariableUpdate, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.patch, ["variables", "name", .name(name)], body: changes.jsonValue, effort: effort)
    }

    /// Deletes a variable: `DELETE /variables/name/{name}`.
    public func deleteVariable(named name: String, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["variables", "name", .name(name)], effort: effort)
    }
}
