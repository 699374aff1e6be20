import BackendKit
import CloudRunBackend
import Foundation
import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing
import VertexAIBackend

@Suite("Templates of the pools on Google Cloud")
struct TemplateTests {
    /// A template without the texts for people, and without the order of its keys.
    private func shape(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            var kept = members.filter { $0.key != "description" || $0.value.stringValue == nil }.mapValues { shape($0) }
            kept.sort { $0.key < $1.key }
            return .object(kept)
        case .array(let elements): return .array(elements.map { shape($0) })
        default: return value
        }
    }

    @Test(
        "the default template has the fields, variables and defaults of the newest Python worker's",
        arguments: [CloudRunBackend.self, CloudRunV2Backend.self, VertexAIBackend.self] as [any Backend.Type])
    func fields(_ backend: any Backend.Type) throws {
        let url = try #require(Bundle.module.url(forResource: "Vectors/default_templates", withExtension: "json"))
        let vectors = try JSONValue(parsing: [UInt8](Data(contentsOf: url)))
        let expected = shape(try #require(vectors[backend.traits.type]))
        let own = shape(backend.traits.baseJobTemplate.json)
        #expect(own["job_configuration"] == expected["job_configuration"])
        for (name, schema) in expected["variables"]?["properties"]?.objectValue ?? [:] {
            #expect(own["variables"]?["properties"]?[name] == schema, "variable \(name)")
        }
        #expect(own["variables"]?["definitions"] == expected["variables"]?["definitions"])
        #expect(own["variables"]?["required"] == expected["variables"]?["required"])
    }
}
