import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

extension PrefectServerClient {
    /// Creates a block of the type `secret` and returns its id.
    func createSecret(name: String, value: String) async throws -> String {
        try await createBlock(name, type: "secret", data: ["value": .string(value)])
    }

    /// Creates a block and returns its id.
    func createBlock(_ name: String, type slug: String, data: JSONValue) async throws -> String {
        let type = try await call("GET", "/block_types/slug/\(slug)")["id"] ?? .null
        let schemas = try await call(
            "POST", "/block_schemas/filter", ["block_schemas": ["block_type_id": ["any_": [type]]]])
        let body: JSONValue = [
            "name": .string(name), "block_type_id": type, "block_schema_id": schemas[0]?["id"] ?? .null, "data": data,
        ]
        return try #require(try await call("POST", "/block_documents/", body)["id"]?.stringValue)
    }

    /// The name of a deployment.
    func deploymentName(_ id: String) async throws -> String {
        try await call("GET", "/deployments/\(id)")["name"]?.stringValue ?? ""
    }
}

extension FlowRunTests {
    /// A time of the API in seconds since 1970.
    static func seconds(since1970 text: String) throws -> Double {
        // The parser does not accept microseconds, and accepts a fraction only on request.
        let whole = text.prefix(19) + "Z"
        let fraction = text.dropFirst(19).prefix { $0 == "." || $0.isNumber }
        let date = try Date(String(whole), strategy: .iso8601)
        return date.timeIntervalSince1970 + (Double("0" + fraction) ?? 0)
    }
}
