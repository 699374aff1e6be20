import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing

@Suite("Job variables")
struct JobVariablesTests {
    @Test("a run's variables replace the deployment's, and env is merged")
    func merging() throws {
        let merged = try JobVariables(
            deployment: ["image": "a", "env": ["A": "1", "B": "1"], "volumes": ["x": 1]],
            flowRun: ["env": ["B": "2", "C": nil], "volumes": ["y": 2], "image": nil])
        #expect(
            merged.json
                == ["image": nil, "env": ["A": "1", "B": "2", "C": nil], "volumes": ["y": 2]])
        #expect(try JobVariables(deployment: nil, flowRun: .null).json == [:])
        #expect(try JobVariables(deployment: ["env": "text"], flowRun: ["env": ["A": "1"]]).json == ["env": ["A": "1"]])
        #expect(
            try JobVariables(deployment: ["env": ["A": "1"]], flowRun: ["x": 1]).json == ["env": ["A": "1"], "x": 1])
    }

    @Test("variables that are not objects are refused")
    func refused() {
        #expect(throws: TemplateError.self) { try JobVariables([1]) }
        #expect(throws: TemplateError.self) { try JobVariables(deployment: ["env": ["A": "1"]], flowRun: ["env": nil]) }
        #expect(throws: TemplateError.self) { try JobVariables(deployment: ["env": ["A": "1"]], flowRun: ["env": []]) }
    }

    @Test("dotted names become objects, and plain names take precedence")
    func dotted() throws {
        let variables = try JobVariables([
            "env.A": 1, "env": ["A": 2, "B": ["x": 1]], "env.B.y": 2, "image": "plain", "image.tag": "gone",
            "a[0].b": 3,
            "t.": 4, "whole.b": 1,
        ])
        let expected: JSONValue = [
            "env": ["A": 2, "B": ["y": 2, "x": 1]], "image": "plain", "a": ["0": ["b": 3]], "t": ["": 4],
            "whole": ["b": 1],
        ]
        #expect(JSONValue.object(try variables.expanded()) == expected)
    }

    @Test("a dotted name through a value that is not an object is refused with its path")
    func conflicts() throws {
        for json in [["a.b": "x", "a.b.c": "y"], ["a.b": nil, "a.b.c": "y"]] as [JSONValue] {
            let error = try #require(throws: TemplateError.self) { try JobVariables(json).expanded() }
            #expect(error.path == "job_variables.a.b.c")
        }
        // In the opposite order the later value replaces the object.
        #expect(try JobVariables(["a.b.c": "y", "a.b": "x"]).expanded() == ["a": ["b": "x"]])
    }

    @Test("a name with too many dots is refused")
    func deepNames() {
        let name = String(repeating: "a.", count: 100_000)
        #expect(throws: TemplateError.self) { try JobVariables(.object([name: 1])).expanded() }
    }
}
