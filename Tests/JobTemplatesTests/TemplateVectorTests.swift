import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing

@Suite("Recorded renderings")
struct TemplateVectorTests {
    @Test("values are applied as the Python worker applies them")
    func applyValuesVectors() throws {
        let vectors = try #require(VectorFile.load("template_vectors").arrayValue)
        var count = 0
        for vector in vectors where vector["fn"] == "apply_values" {
            let result = try applyValues(
                template: #require(vector["template"]), values: #require(vector["values"]),
                environment: VectorFile.environment,
                removeNotSet: vector["options"]?["remove_notset"]?.boolValue ?? true)
            let expected = try #require(vector["expected"])
            if expected == ["__notset__": true] {
                #expect(result == nil, "\(vector["template"] ?? nil)")
            } else {
                #expect(result == expected, "\(vector["template"] ?? nil)")
            }
            count += 1
        }
        #expect(count == 31)
    }

    @Test("job configurations are rendered as the Python worker renders them")
    func renderVectors() async throws {
        let vectors = try #require(VectorFile.load("template_vectors").arrayValue)
        var count = 0
        for vector in vectors where vector["fn"] == "from_template_and_values" {
            let note = vector["note"]?.stringValue ?? ""
            let template = try BaseJobTemplate(json: [
                "job_configuration": #require(vector["template"]), "variables": #require(vector["variables_schema"]),
            ])
            let renderer = JobRenderer(
                template: template, environment: VectorFile.environment, references: Lookups.recorded())
            do {
                let rendered = try await renderer.render(jobVariables: #require(vector["values"]))
                let configuration = try BaseJobConfiguration(rendered: rendered).json
                let expected = try #require(vector["expected"], "\(note) should fail")
                #expect(configuration.isEquivalent(to: expected), "\(note)")
            } catch let error as TemplateError {
                #expect(vector["error"] != nil, "\(note): \(error)")
            }
            count += 1
        }
        #expect(count == 21)
    }
}
