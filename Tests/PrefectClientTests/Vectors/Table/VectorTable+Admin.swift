import OrderedCollections
import PrefectClient
import PrefectJSON

extension VectorTable {
    static let admin: [String: VectorCall] = [
        "client_version": { _, _ in .value(.string(APIClient.prefectVersion)) },
        "api_version": { client, _ in VectorResult(try await client.readAPIVersion()) },
        "raise_for_api_version_mismatch": { client, _ in
            try await client.checkServerVersion()
            return .nothing
        },
        "hello": { client, _ in .value(try await client.request("GET", "/hello").json()) },
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
