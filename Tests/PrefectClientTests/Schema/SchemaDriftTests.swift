import Foundation
import OrderedCollections
import PrefectClient
import PrefectJSON
import Testing

/// Compares the checked-in part of the OpenAPI document with that of a real server, which `PREFECT_API_URL` names.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["PREFECT_API_URL"] != nil))
struct SchemaDriftTests {
    @Test func documentIsThatOfTheServer() async throws {
        let file = #filePath.components(separatedBy: "/PrefectClientTests/")[0] + "/Schema/api.json"
        let copy = try JSONValue(parsing: Array(try Data(contentsOf: URL(filePath: file))), maximumCost: 100_000_000)
        let url = try #require(ProcessInfo.processInfo.environment["PREFECT_API_URL"])
        let drifted = try await withClient(of: url) { client, _ in
            let answer = try await client.request("GET", "/openapi.json")
            let document = try JSONValue(parsing: answer.body, maximumCost: 100_000_000)
            let schemas = document["components"]?["schemas"]
            return (copy.objectValue ?? [:]).flatMap { name, schema in
                Self.drift(reduced(schema, false), reduced(schemas?[name] ?? .null, false), name)
            }
        }
        #expect(drifted == [], "run Tests/Schema/generate.py --update \(url)/openapi.json")
    }

    /// The names of what differs: a schema, or a member of one.
    private static func drift(_ copy: JSONValue, _ server: JSONValue, _ name: String) -> [String] {
        guard copy != server else { return [] }
        guard let old = copy["properties"]?.objectValue, let new = server["properties"]?.objectValue else {
            return [name]
        }
        let members = Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }
        return members.isEmpty ? [name] : members.sorted().map { "\(name).\($0)" }
    }
}

/// A schema without titles, examples and descriptions.
private func reduced(_ value: JSONValue, _ isNamed: Bool) -> JSONValue {
    switch value {
    case .array(let elements): return .array(elements.map { reduced($0, false) })
    case .object(let members):
        let left = members.filter { isNamed || !["title", "examples", "deprecated", "description"].contains($0.key) }
        return .object(
            OrderedDictionary(
                uniqueKeysWithValues: left.map { ($0.key, reduced($0.value, $0.key == "properties" && !isNamed)) }))
    default: return value
    }
}
