internal import FoundationEssentials
internal import HTTPTransport
public import OrderedCollections
internal import PrefectConcurrency
public import PrefectJSON

extension CloudClient {
    /// Reads the workspaces that the key can use: `GET /me/workspaces`.
    public func readWorkspaces(effort: RetryPolicy.Effort = .standard) async throws -> [Workspace] {
        try await client.read(.get, ["me", "workspaces"], effort: effort)
    }

    /// Checks within 10 seconds that Cloud answers and accepts the key: `GET /me/workspaces`.
    ///
    /// - Throws: The error of the request, or one whose ``APIError/isTransient`` is `true` after 10 seconds.
    public func checkHealth() async throws {
        do {
            _ = try await withDeadline(.seconds(10), for: "GET /me/workspaces") { try await readWorkspaces() }
        } catch let exceeded as DeadlineExceeded {
            throw APIError(
                .noAnswer(
                    TransportError(
                        kind: .wholeTimeout, operation: "GET /me/workspaces", cause: exceeded.description,
                        requestMayHaveBeenSent: true)),
                operation: "GET /me/workspaces", detail: exceeded.description)
        }
    }

    /// Reads the client's workspace: `GET /me/workspaces`.
    ///
    /// - Throws: An ``APIError`` when the client has no workspace, or the key cannot use it.
    public func readCurrentWorkspace(effort: RetryPolicy.Effort = .standard) async throws -> Workspace {
        let workspaces = try await readWorkspaces(effort: effort)
        let current = workspaces.first { $0.workspaceID == workspaceID && $0.accountID == accountID }
        guard let current else {
            throw APIError(
                invalid: workspaceID.map { id in
                    "the key cannot use the workspace \(id.text); check PREFECT_API_URL and the key"
                } ?? "the client has no workspace; set PREFECT_API_URL to the URL of a workspace",
                operation: "GET /me/workspaces")
        }
        return current
    }

    /// Reads the types of work pools: `GET /accounts/{id}/workspaces/{id}/collections/work_pool_types`.
    ///
    /// - Returns: The metadata of workers by their package and their type.
    public func readWorkerMetadata(effort: RetryPolicy.Effort = .standard) async throws -> JSONObject {
        let path = try workspace("GET /accounts/{id}/workspaces/{id}/collections/work_pool_types")
        return try await client.read(.get, path + ["collections", "work_pool_types"], effort: effort)
    }

    /// Reads the settings of the account: `GET /accounts/{id}/settings`.
    public func readAccountSettings(effort: RetryPolicy.Effort = .standard) async throws -> JSONObject {
        try await client.read(.get, account("GET /accounts/{id}/settings") + ["settings"], effort: effort)
    }

    /// Changes settings of the account: `PATCH /accounts/{id}/settings`. Settings that are not given stay.
    public func updateAccountSettings(
        _ settings: JSONObject, effort: RetryPolicy.Effort = .standard
    ) async throws {
        let path = try account("PATCH /accounts/{id}/settings") + ["settings"]
        try await client.perform(.patch, path, body: .object(settings), effort: effort)
    }

    /// Reads the addresses that may use the account: `GET /accounts/{id}/ip_allowlist`.
    public func readAccountIPAllowlist(effort: RetryPolicy.Effort = .standard) async throws -> IPAllowlist {
        try await client.read(.get, account("GET /accounts/{id}/ip_allowlist") + ["ip_allowlist"], effort: effort)
    }

    /// Replaces the addresses that may use the account: `PUT /accounts/{id}/ip_allowlist`.
    public func updateAccountIPAllowlist(
        _ allowlist: IPAllowlist, effort: RetryPolicy.Effort = .standard
    ) async throws {
        var entries: [JSONValue] = []
        for entry in allowlist.entries {
            var json = entry.jsonValue
            // Cloud replaces the whole entry.
            for name in ["description", "last_seen"] where json[name] == nil { json[name] = .null }
            entries.append(json)
        }
        var body = allowlist.jsonValue
        body["entries"] = .array(entries)
        let path = try account("PUT /accounts/{id}/ip_allowlist") + ["ip_allowlist"]
        try await client.perform(.put, path, body: body, effort: effort)
    }

    /// Reads whether the caller's address may use the account: `GET /accounts/{id}/ip_allowlist/my_access`.
    public func checkIPAllowlistAccess(
        effort: RetryPolicy.Effort = .standard
    ) async throws -> IPAllowlistMyAccessResponse {
        let path = try account("GET /accounts/{id}/ip_allowlist/my_access") + ["ip_allowlist", "my_access"]
        return try await client.read(.get, path, effort: effort)
    }

    /// Sends any request of Cloud; ``APIClient/request(_:_:parameters:query:body:effort:)`` explains the parameters.
    public func request(
        _ method: String, _ path: String, parameters: [String: String] = [:],
        query: [(name: String, value: String)] = [], body: JSONValue? = nil, effort: RetryPolicy.Effort = .standard
    ) async throws -> APIAnswer {
        try await client.request(method, path, parameters: parameters, query: query, body: body, effort: effort)
    }
}
