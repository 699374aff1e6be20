import BackendKit
import JobTemplates
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@Suite("Arbitrary templates and variables", .timeLimit(.minutes(Fuzz.minutes)))
struct TemplateFuzzTests {
    /// Blocks and variables that exist, are missing, or cannot be read. The same key always has the same result.
    private struct Lookups: TemplateReferences {
        struct Broken: Error {}

        private func value(_ key: String) throws -> JSONValue {
            switch key.utf8.count % 5 {
            case 0: throw ReferenceNotFound()
            case 1: throw Broken()
            case 2: return ["value": .string("{{ \(key) }}"), "list": [1, ["a": nil]]]
            case 3: return ["value": ["a": ["b": .string(key)]]]
            default: return .string("{{ prefect.variables.\(key) }}")
            }
        }

        func blockDocument(id: String) throws -> JSONValue { try value(id) }
        func blockDocument(typeSlug: String, name: String) throws -> JSONValue { try value(typeSlug + name) }
        func variable(named name: String) throws -> JSONValue? { name.isEmpty ? nil : try value(name) }
    }

    private static let pieces =
        FuzzRandom.trouble + [
            "{{ a }}", "{{ env }}", "{{ env.A }}", "{{ $HOME }}", "{{ command }}", "{{ list[0] }}", "{{ list[-1].a }}",
            "{{ list[99999999999999999999] }}", "{{ prefect.blocks.secret.tok }}",
            "{{ prefect.blocks.json.c.value.a.b }}",
            "{{ prefect.variables.v1 }}", "{{prefect.blocks.x}}", "{{  ", "  }}", "a", "env", "command", "labels", ".a",
        ]
    private static let keys = [
        "env", "command", "labels", "name", "working_dir", "stream_output", "a", "list", "$ref", "block_document_id",
        "properties", "default", "type", "env.A", "x[0].y", "",
    ]

    private static func value(_ random: inout FuzzRandom, _ depth: Int = 0) -> JSONValue {
        switch random.below(depth > 4 ? 4 : 8) {
        case 0: return random.json(4)
        case 1, 2, 3: return .string(random.text(of: pieces, upTo: 5))
        case 4: return .array((0..<random.below(4)).map { _ in value(&random, depth + 1) })
        default: return .object(object(&random, depth))
        }
    }

    private static func object(_ random: inout FuzzRandom, _ depth: Int = 0) -> OrderedDictionary<String, JSONValue> {
        var members: OrderedDictionary<String, JSONValue> = [:]
        for _ in 0..<random.below(6) {
            let key = random.oneIn(5) ? random.text(of: pieces, upTo: 2) : random.pick(keys)
            members[key] = value(&random, depth + 1)
        }
        return members
    }

    /// A damaged default template, an arbitrary value, or a template with arbitrary fields.
    private static func template(_ random: inout FuzzRandom) -> JSONValue {
        if random.oneIn(3) {
            let text = random.damaged(FakeBackend.traits.baseJobTemplate.json.serializedBytes())
            return (try? JSONValue(parsing: text)) ?? FakeBackend.traits.baseJobTemplate.json
        }
        if random.oneIn(6) { return value(&random) }
        let properties = object(&random).mapValues { JSONValue.object(["default": $0]) }
        return ["job_configuration": .object(object(&random)), "variables": ["properties": .object(properties)]]
    }

    private func render(_ template: JSONValue, _ variables: JSONValue) async throws -> String {
        do {
            let renderer = JobRenderer(
                template: try BaseJobTemplate(json: template), environment: ["HOME": "/h"], references: Lookups())
            let rendered = try await renderer.render(jobVariables: variables)
            let prepared = try BaseJobConfiguration(rendered: rendered).prepare(
                for: PreparationContext(flowRun: ["id": "i", "name": "n", "created": variables], flow: template))
            return prepared.json.serialized(.python) + prepared.json.pythonText
        } catch let error as TemplateError {
            try Fuzz.require(!error.description.contains(where: \.isNewline), "two lines: \(error)")
            return "refused: \(error)"
        }
    }

    @Test("a template always results in the same configuration or the same error of one line")
    func deterministic() async throws {
        var rendered = 0
        let count = try await Fuzz.run(mostCases: 1500) { random in
            let template = Self.template(&random)
            let variables = random.oneIn(10) ? Self.value(&random) : .object(Self.object(&random))
            let outcome = try await render(template, variables)
            if !outcome.hasPrefix("refused") { rendered += 1 }
            let again = try await render(template, variables)
            try Fuzz.require(outcome == again, "\(outcome) and then \(again)")
        }
        #expect(rendered > count / 10)
    }

    @Test("a value without a placeholder is not changed")
    func plain() async throws {
        try await Fuzz.run(mostCases: 1500) { random in
            let value = random.json()
            guard !value.serialized().contains("{{") else { return }
            let result = try applyValues(template: value, values: .object(Self.object(&random)), environment: [:])
            try Fuzz.require(result == value, "\(value) became \(String(describing: result))")
        }
    }
}
