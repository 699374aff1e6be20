import FoundationEssentials
import OrderedCollections
import PrefectClient
import PrefectJSON

extension VectorTable {
    static let admin: [String: VectorCall] = [
        "api_url": { client, _ in
            // The vector has the address of the recording, so only the path is compared.
            let path = URLComponents(string: client.apiURL)?.path ?? ""
            return .value(.string("http://127.0.0.1:4388" + path))
        },
        "api_healthcheck": { client, _ in
            await client.checkHealth().map { .value(.string("\($0)")) } ?? .nothing
        },
        "client_version": { _, _ in .value(.string(APIClient.prefectVersion)) },
        "api_version": { client, _ in VectorResult(try await client.readAPIVersion()) },
        "raise_for_api_version_mismatch": { client, _ in
            try await client.checkServerVersion()
            return .nothing
        },
        "hello": { client, _ in VectorResult(try await client.hello()) },
        "read_worker_metadata": { client, _ in VectorResult(try await client.readWorkerMetadata()) },
        "read_server_default_result_storage": { client, _ in
            VectorResult(try await client.readServerDefaultResultStorage())
        },
        "update_server_default_result_storage": { client, arguments in
            VectorResult(
                try await client.updateServerDefaultResultStorage(
                    blockID: arguments.required("default_result_storage_block_id")))
        },
        "clear_server_default_result_storage": { client, _ in
            try await client.clearServerDefaultResultStorage()
            return .nothing
        },
        "request": { client, arguments in
            let parameters = (arguments.members["path_params"]?.objectValue ?? [:]).map { ($0, "\($1.text)") }
            let query = (arguments.members["params"]?.objectValue ?? [:]).map { (name: $0, value: $1.text) }
            let answer = try await client.request(
                arguments.required("method"), arguments.required("path"),
                parameters: Dictionary(parameters) { $1 }, query: query, body: arguments.members["json"])
            return answer.body.isEmpty ? .nothing : .value(try answer.json())
        },
    ]
}

extension JSONValue {
    /// The value as a part of a path or a query.
    var text: String { stringValue ?? serialized() }
}
