import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing

@testable import DockerBackend
@testable import KubernetesBackend

@Suite("The budget of a rendering")
struct BudgetTests {
    private struct Long: TemplateReferences {
        let text: JSONValue
        func blockDocument(id: String) throws -> JSONValue { ["value": text] }
        func blockDocument(typeSlug: String, name: String) throws -> JSONValue { ["value": text] }
        func variable(named name: String) throws -> JSONValue? { text }
    }

    private static let note: JSONValue = .string(String(repeating: "x", count: 700_000))

    private func refusal(_ configuration: JSONValue, variables: JSONValue = [:]) async throws -> TemplateError {
        try await templateError {
            _ = try await render(configuration, variables: variables, references: Long(text: Self.note))
        }
    }

    @Test(
        "placeholders that expand to gigabytes are refused for every source of their values",
        arguments: [
            "{{ note }}", "{{ prefect.variables.note }}", "{{ prefect.blocks.secret.note }}",
            "{{ prefect.blocks.secret.note.value }}",
        ])
    func gigabytes(placeholder: String) async throws {
        let inText: JSONValue = ["command": .string("echo " + String(repeating: placeholder, count: 3000))]
        let asElements: JSONValue = ["args": .array(Array(repeating: .string(placeholder), count: 3000))]
        let asMembers: JSONValue = [
            "env": JSONValue((0..<3000).lazy.map { (key: "N\($0)", value: placeholder) })
        ]
        for configuration in [inText, asElements, asMembers] {
            let error = try await refusal(configuration, variables: ["note": Self.note])
            #expect(error.kind == .tooLarge)
            #expect(error.description.contains("the budget of 33554432 bytes"))
            #expect(!error.description.contains("\n") && error.description.utf8.count < 1000)
        }
    }

    @Test("documents that are referenced by their id also count")
    func references() async throws {
        let reference: JSONValue = ["$ref": ["block_document_id": "1"]]
        let error = try await refusal(["x": .array(Array(repeating: reference, count: 3000))])
        #expect(error.kind == .tooLarge)
    }

    @Test("nested values count with their whole content")
    func composites() async throws {
        let list: JSONValue = .array(Array(repeating: .string(String(repeating: "y", count: 1000)), count: 1000))
        let error = try await refusal(
            ["args": .array(Array(repeating: "{{ list }}", count: 40))], variables: ["list": list])
        #expect(error.kind == .tooLarge)
    }

    @Test("a configuration within the budget is rendered in full, and a renderer can have another budget")
    func fitting() async throws {
        let variables: JSONValue = ["note": Self.note]
        let configuration: JSONValue = ["command": .string(String(repeating: "{{ note }}", count: 40))]
        let rendered = try await render(configuration, variables: variables)
        #expect(rendered["command"]?.stringValue?.utf8.count == 28_000_000)
        let small = JobRenderer(
            template: try BaseJobTemplate(json: [
                "job_configuration": ["command": "{{ note }}"], "variables": ["properties": [:]],
            ]), environment: [:], references: Long(text: Self.note), budget: 1000)
        let error = try await templateError { _ = try await small.render(jobVariables: variables) }
        #expect(error.description.contains("the budget of 1000 bytes"))
    }

    @Test("a slug with a maximum length does not read the whole of a long name", .timeLimit(.minutes(1)))
    func slugs() {
        let name = String(repeating: "北", count: 5_000_000)
        #expect(Slug.kubernetesName(name)?.utf8.count ?? 0 <= 45)
        #expect(Slug.kubernetesLabelValue(name).utf8.count <= 63)
        #expect(Slug.dockerContainerName(name)?.utf8.count ?? 0 <= 250)
    }
}
