import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing

@testable import DockerBackend
@testable import KubernetesBackend

/// Random templates from a fixed seed, so that a failure is reproducible.
private struct Inputs {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func below(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(bound))
    }

    private static let pieces = [
        "{{", "}}", "{", "}", " ", "\n", "\u{3000}", "a", "env", "lst", ".", "[", "]", "-1", "0", "$", "$HOME", "é",
        "e\u{301}",
        "prefect.blocks.", "prefect.variables.", "secret", "tok", "v1", "value", "{{ a }}", "{{ lst[0] }}",
        "{{ prefect.blocks.secret.tok }}", "{{ prefect.variables.v1 }}", "{{ prefect.blocks.json.cfg }}", "😀", "'",
        "\"",
        "\\", "\u{0}", "&#", "&amp;", ";", "x41", "9999999999999999999999", "北", "ﷺ", "_", "\r\n",
    ]

    mutating func text() -> String {
        (0..<below(9)).map { _ in Self.pieces[below(Self.pieces.count)] }.joined()
    }

    mutating func value(_ depth: Int = 0) -> JSONValue {
        switch below(depth > 4 ? 6 : 9) {
        case 0: .null
        case 1: .int(below(10) - 5)
        case 2: .double(Double(below(1000)) / 7)
        case 3, 4, 5: .string(text())
        case 6: .array((0..<below(4)).map { _ in value(depth + 1) })
        case 7 where below(6) == 0: ["$ref": ["block_document_id": value(depth + 3)]]
        default: object(depth)
        }
    }

    mutating func object(_ depth: Int = 0) -> JSONValue {
        let keys = ["env", "a", "lst", "command", "name", "labels", "a.b", "env.A", "$ref", "x[0].y"]
        var members: OrderedDictionary<String, JSONValue> = [:]
        for _ in 0..<below(5) {
            let key = below(3) == 0 ? text() : keys[below(keys.count)]
            members[key] = value(depth + 1)
        }
        return .object(members)
    }
}

@Suite("Fuzzed templates and names")
struct FuzzTests {
    @Test("rendering gives a configuration or a one-line error", .timeLimit(.minutes(1)))
    func rendering() async throws {
        var inputs = Inputs(seed: 20_260_203)
        var rendered = 0
        for _ in 0..<800 {
            let configuration = inputs.object()
            let defaults = inputs.object()
            let variables = inputs.object()
            do {
                let result = try await render(
                    configuration, defaults: defaults, variables: variables, environment: ["HOME": "/h"],
                    references: Lookups.recorded())
                let prepared = try BaseJobConfiguration(rendered: result).prepare(
                    for: PreparationContext(flowRun: ["id": "i", "name": "n"], flow: nil))
                _ = prepared.json.pythonText
                rendered += 1
            } catch let error as TemplateError {
                #expect(!error.description.utf8.contains(UInt8(ascii: "\n")))
            }
        }
        #expect(rendered > 150)
    }

    @Test("slugs of any name have valid characters and lengths", .timeLimit(.minutes(1)))
    func slugs() {
        var inputs = Inputs(seed: 7)
        for _ in 0..<800 {
            let name = inputs.text() + inputs.text()
            #expect(Slug.make(name).utf8.allSatisfy { Self.isPlain($0) })
            #expect(Slug.kubernetesName(name)?.utf8.count ?? 1 <= 45)
            let container = Slug.dockerContainerName(name) ?? "x"
            #expect(container.utf8.first.map { $0 != UInt8(ascii: "-") && Self.isPlain($0) || isUpper($0) } ?? false)
            _ = Slug.kubernetesLabelKey(name)
            _ = Slug.kubernetesLabelValue(name)
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }

    private func isUpper(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }

    @Test("large inputs are rendered within the time limit", .timeLimit(.minutes(1)))
    func large() async throws {
        let braces: JSONValue = .string(String(repeating: "{", count: 100_000))
        let spaces: JSONValue = .string(String(repeating: "{{   ", count: 20_000))
        let many: JSONValue = .string(String(repeating: "{{ a }}", count: 10_000))
        let result = try await render(["x": [braces, spaces, many]], variables: ["a": "b"])
        #expect(result["x"]?[2] == .string(String(repeating: "b", count: 10_000)))

        var deep: JSONValue = "{{ a }}"
        for _ in 0..<190 { deep = [deep] }
        let nested = try await render(["x": deep], variables: ["a": deep])
        #expect(nested["x"] != nil)
        _ = Slug.make(String(repeating: "&#233;北", count: 4000))
    }

    @Test("values nested beyond the limit are refused instead of exhausting the stack")
    func tooDeep() async throws {
        var deep: JSONValue = "leaf"
        for _ in 0..<4 * JSONValue.maximumDepth + 100 { deep = [deep] }
        let error = try await templateError { _ = try await render(["x": deep]) }
        #expect(error.kind == .tooDeep)
    }
}
