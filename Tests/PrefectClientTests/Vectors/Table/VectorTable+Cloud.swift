import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON

extension VectorTable {
    static let cloud: [String: VectorCall] = [
        "CloudClient.read_workspaces": { client, arguments in
            VectorResult(try await cloud(client, arguments).readWorkspaces())
        },
        "CloudClient.api_healthcheck": { client, arguments in
            try await cloud(client, arguments).checkHealth()
            return .nothing
        },
        "CloudClient.read_current_workspace": { client, arguments in
            VectorResult(try await cloud(client, arguments).readCurrentWorkspace())
        },
        "CloudClient.read_worker_metadata": { client, arguments in
            VectorResult(try await cloud(client, arguments).readWorkerMetadata())
        },
        "CloudClient.read_account_settings": { client, arguments in
            VectorResult(try await cloud(client, arguments).readAccountSettings())
        },
        "CloudClient.update_account_settings": { client, arguments in
            try await cloud(client, arguments).updateAccountSettings(arguments.required("settings"))
            return .nothing
        },
        "CloudClient.read_account_ip_allowlist": { client, arguments in
            VectorResult(try await cloud(client, arguments).readAccountIPAllowlist())
        },
        "CloudClient.update_account_ip_allowlist": { client, arguments in
            try await cloud(client, arguments).updateAccountIPAllowlist(arguments.required("updated_allowlist"))
            return .nothing
        },
        "CloudClient.check_ip_allowlist_access": { client, arguments in
            VectorResult(try await cloud(client, arguments).checkIPAllowlistAccess())
        },
        "CloudClient.get": { client, arguments in
            try await answer(client, arguments, method: "GET", path: arguments.required("route"))
        },
        "CloudClient.request": { client, arguments in
            try await answer(
                client, arguments, method: arguments.required("method"), path: arguments.required("route"))
        },
        "CloudClient.raw_request": { client, arguments in
            try await answer(client, arguments, method: arguments.required("method"), path: arguments.required("path"))
        },
    ]

    /// The client as it was set up for the vectors. One of them is of a client without a workspace.
    private static func cloud(_ client: APIClient, _ arguments: VectorArguments) -> CloudClient {
        guard arguments.vector?.id != "CloudClient.read_current_workspace/none" else {
            return CloudClient(client: client)
        }
        return CloudClient(
            client: client, accountID: UUID(uuidString: "aaaaaaaa-0000-4000-8000-000000000001"),
            workspaceID: UUID(uuidString: "bbbbbbbb-0000-4000-8000-000000000002"))
    }

    private static func answer(
        _ client: APIClient, _ arguments: VectorArguments, method: String, path: String
    ) async throws -> VectorResult {
        let parameters = (arguments.members["path_params"]?.objectValue ?? [:]).map { ($0, "\($1.text)") }
        let query = (arguments.members["params"]?.objectValue ?? [:]).map { (name: $0, value: $1.text) }
        let answer = try await cloud(client, arguments).request(
            method, path, parameters: Dictionary(parameters) { $1 }, query: query, body: arguments.members["json"])
        return answer.body.isEmpty ? .nothing : .value(try answer.json())
    }
}
