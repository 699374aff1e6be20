import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing

@Suite("Applying values")
struct ApplyValuesTests {
    static let values: JSONValue = [
        "name": "bob", "age": 7, "none": nil, "lst": [1, ["a": "x"]], "d": ["k": ["z": "deep"], "0": "zero"], "": "e",
    ]

    private func apply(_ template: JSONValue, removeNotSet: Bool = true) throws -> JSONValue? {
        try applyValues(
            template: template, values: Self.values, environment: ["MY": "e", "A.B": "dots"], removeNotSet: removeNotSet
        )
    }

    @Test(
        "text that only looks like a placeholder stays unchanged",
        arguments: [
            "{{ na me }}", "{{ name | upper }}", "{{}}", "{{ }}", "{ { name }}", "{{ name }", "{{ name", "{{e\u{301}}}",
            "{{ name!r }}", "", "{{{{", "}}{{",
        ] as [JSONValue])
    func notPlaceholders(text: JSONValue) throws {
        #expect(try apply(text) == text)
    }

    @Test(
        "paths select parts of values",
        arguments: [
            ("{{ lst[-1].a }}", "x"), ("{{ lst.[1]a }}", nil), ("{{ lst.1.a }}", "x"), ("{{ lst[1_0] }}", nil),
            ("{{ lst[0_0] }}", 1), ("{{ lst[٠] }}", 1), ("{{ d.0 }}", nil), ("{{ d.k }}", ["z": "deep"]),
            ("{{ name[-1] }}", "b"), ("{{ name[3] }}", nil), ("{{ age.0 }}", nil), ("{{ none.x }}", nil),
            ("{{ lst[99999999999999999999] }}", nil), ("{{ lst.a }}", nil), ("{{ ] }}", "e"),
        ] as [(JSONValue, JSONValue?)])
    func paths(template: JSONValue, expected: JSONValue?) throws {
        #expect(try apply(template) == expected)
    }

    @Test("placeholders are replaced from left to right, and inserted text is not searched again")
    func singlePass() throws {
        let values: JSONValue = ["a": "{{ b }}", "b": "{{ a }}", "open": "{{", "x": "1"]
        let result = try applyValues(
            template: "{{ a }}{{ b }} {{ open }} x }}", values: values, environment: [:])
        #expect(result == "{{ b }}{{ a }} {{ x }}")
    }

    @Test("variables of the worker's environment are inserted as text, which is empty without a value")
    func environment() throws {
        #expect(try apply("{{ $MY }}") == "e")
        #expect(try apply("{{ $$MY }}-{{ $A.B }}") == "e-dots")
        #expect(try apply(["a": "{{ $NO }}"]) == ["a": ""])
        #expect(try apply("{{ $NO }}", removeNotSet: false) == "{{ $NO }}")
        #expect(try apply("{{ a$b }}") == nil)
    }

    @Test("placeholders without a value can be kept, but not in arrays")
    func keptNotSet() throws {
        let template: JSONValue = ["a": "{{ no }}", "b": ["{{ no }}", "x{{ no }}"], "c": "{{ no }}-{{ age }}"]
        #expect(
            try apply(template, removeNotSet: false)
                == ["a": "{{ no }}", "b": ["x{{ no }}"], "c": "{{ no }}-7"])
        #expect(try apply("{{ no }}", removeNotSet: false) == nil)
    }

    @Test("placeholders with a skipped prefix stay unchanged")
    func skippedPrefixes() throws {
        let result = try applyValues(
            template: ["{{ ctx.a }}", "{{ name }} {{ ctx.a }}"], values: Self.values, environment: [:],
            skippedPrefixes: ["ctx."])
        #expect(result == ["{{ ctx.a }}", "bob {{ ctx.a }}"])
    }
}

@Suite("Rendering job configurations")
struct JobRendererTests {
    @Test("a template without its two objects is refused with an error that names the problem")
    func malformedTemplates() throws {
        let cases: [(JSONValue, String)] = [
            ([:], "job_configuration"), (["job_configuration": [:]], "variables"),
            (["variables": [:]], "job_configuration"),
            (["job_configuration": [], "variables": [:]], "job_configuration"), (nil, "object"),
        ]
        for (json, word) in cases {
            let error = try #require(throws: TemplateError.self) { try BaseJobTemplate(json: json) }
            #expect(error.kind == .malformedTemplate)
            #expect(error.description.contains(word))
        }
    }

    @Test("properties that are not schemas and null defaults give no values")
    func defaults() async throws {
        let template = try BaseJobTemplate(json: [
            "job_configuration": ["a": "{{ a }}", "b": "{{ b }}", "c": "{{ c }}"],
            "variables": ["properties": ["a": true, "b": ["default": nil], "c": ["default": false]]],
        ])
        let renderer = JobRenderer(template: template, environment: [:], references: Lookups())
        #expect(try await renderer.render(jobVariables: nil) == ["c": false])
    }

    @Test("the template's own env is overridden by the defaults, and the defaults by the job variables")
    func environmentLayers() async throws {
        let rendered = try await render(
            ["env": ["A": "fixed", "B": "fixed", "C": "{{ who }}"]],
            defaults: ["env": ["B": "default", "D": "default"]],
            variables: ["env": ["D": "{{ $MY }}"], "env.E": 1, "who": "me"], environment: ["MY": "mine"])
        #expect(rendered == ["env": ["A": "fixed", "B": "default", "C": "me", "D": "mine", "E": 1]])
        #expect(try await render(["x": 1], defaults: ["env": ["A": "1"]]) == ["x": 1, "env": ["A": "1"]])
    }

    @Test("an env that cannot be merged is refused")
    func unmergeableEnvironment() async throws {
        let error = try await templateError {
            _ = try await render(["env": ["A": "1"]], variables: ["env": [["name": "B", "value": "2"]]])
        }
        #expect(error.path == "job_configuration.env")
        // Without a merge a list is accepted, for the backends that use lists.
        let list: JSONValue = [["name": "B", "value": "2"]]
        #expect(try await render(["env": "{{ env }}"], variables: ["env": list]) == ["env": list])
    }

    @Test("blocks are resolved before variables, also in the values of job variables")
    func passes() async throws {
        let references = Lookups(
            documents: ["secret/s": ["value": "{{ prefect.variables.v }}"]],
            variables: ["v": "{{ prefect.blocks.secret.s }}"])
        let rendered = try await render(
            ["a": "{{ x }}", "b": "{{ prefect.blocks.{{ kind }}.s }}"],
            variables: ["x": "{{ prefect.blocks.secret.s }}", "kind": "secret"], references: references)
        #expect(rendered == ["a": "{{ prefect.blocks.secret.s }}", "b": "{{ prefect.blocks.secret.s }}"])
    }

    @Test("data that refer to themselves are inserted once")
    func selfReferences() async throws {
        let references = Lookups(
            documents: [
                "secret/self": ["value": "{{ prefect.blocks.secret.self }}"],
                "id": ["again": ["$ref": ["block_document_id": "id"]]],
            ], variables: ["loop": "{{ prefect.variables.loop }}"])
        let rendered = try await render(
            [
                "a": "{{ prefect.blocks.secret.self }}!", "b": ["$ref": ["block_document_id": "id"]],
                "c": "{{ prefect.variables.loop }}",
            ], references: references)
        #expect(
            rendered == [
                "a": "{{ prefect.blocks.secret.self }}!", "b": ["again": ["$ref": ["block_document_id": "id"]]],
                "c": "{{ prefect.variables.loop }}",
            ])
        #expect(await references.asked == ["secret/self", "id", "variable loop"])
    }

    @Test("only documents and variables that are needed are read, once each")
    func lookups() async throws {
        let references = Lookups(
            documents: ["t/b": ["a": 1, "c": 2], "id": ["x": 1]], variables: ["v": 5])
        let rendered = try await render(
            [
                "a": "{{ prefect.blocks.t.b.a }}", "b": "{{ prefect.blocks.t.b.c }}-{{ prefect.blocks.t.b.c }}",
                "c": [["$ref": ["block_document_id": "id"]], ["$ref": ["block_document_id": "id"]]],
                "d": "{{ prefect.variables.v }}{{ prefect.variables.v }}{{ prefect.variables.no }}",
                "e": "{{ prefect.variables.no }}", "f": "{{ prefect.variables. }}",
            ], defaults: ["unused": "{{ prefect.blocks.t.unused }}"], references: references)
        #expect(
            rendered == ["a": 1, "b": "2-2", "c": [["x": 1], ["x": 1]], "d": "55", "e": "", "f": ""])
        #expect(await references.asked == ["t/b", "id", "variable v", "variable no"])
    }

    @Test(
        "paths select parts of block data",
        arguments: [
            ("{{ prefect.blocks.j.only }}", ["k": [1, 2]]), ("{{ prefect.blocks.j.only.k[1] }}", 2),
            ("{{ prefect.blocks.j.only.value }}", ["k": [1, 2]]), ("{{ prefect.blocks.j.only.value.k.0 }}", 1),
            ("{{ prefect.blocks.j.more }}", ["value": 1, "valuex": 2]), ("{{ prefect.blocks.j.more.value }}", 1),
            ("{{ prefect.blocks.j.text.0 }}", "t"), ("<{{ prefect.blocks.j.null }}>", "<None>"),
            ("{{ prefect.blocks.j.null }}", nil),
        ] as [(JSONValue, JSONValue)])
    func blockPaths(template: JSONValue, expected: JSONValue) async throws {
        let references = Lookups(documents: [
            "j/only": ["value": ["k": [1, 2]]], "j/more": ["value": 1, "valuex": 2], "j/text": ["value": "text"],
            "j/null": ["value": nil],
        ])
        #expect(try await render(["a": template], references: references) == ["a": expected])
    }

    @Test("a reference without an id is treated as any other object")
    func emptyReferences() async throws {
        let template: JSONValue = [
            "a": ["$ref": [:], "b": "{{ prefect.variables.v }}"], "c": ["$ref": ["block_document_id": ""]],
        ]
        #expect(
            try await render(template, references: Lookups(variables: ["v": 1]))
                == ["a": ["$ref": [:], "b": 1], "c": ["$ref": ["block_document_id": ""]]])
    }

    @Test("every error names the key and the placeholder on one line, without a value")
    func errors() async throws {
        let references = Lookups(documents: [
            "s/t": ["value": "hush-hush"], "s/o": ["value": ["deep": "hush-hush"]], "id": ["x": 1],
        ])
        let cases: [(JSONValue, TemplateError.Kind, String, String?)] = [
            (
                ["env": ["FOO": "hush-hush {{ prefect.blocks.s.absent }}"]], .blockNotFound,
                "job_configuration.env.FOO",
                "{{ prefect.blocks.s.absent }}"
            ),
            (
                ["a": ["b", "{{\nprefect.blocks.s }}"]], .malformedPlaceholder, "job_configuration.a[1]",
                "{{ prefect.blocks.s }}"
            ),
            (
                ["k.x": "{{ prefect.blocks.s.t.no }}"], .unresolvedPath, "job_configuration[\"k.x\"]",
                "{{ prefect.blocks.s.t.no }}"
            ),
            (["a": "x{{ prefect.blocks.s.o }}"], .compositeInText, "job_configuration.a", "{{ prefect.blocks.s.o }}"),
            (["a": ["$ref": "hush-hush"]], .malformedReference, "job_configuration.a.$ref", nil),
            (["a": ["$ref": nil]], .malformedReference, "job_configuration.a.$ref", nil),
            (
                ["a": ["$ref": ["block_document_id": 5]]], .malformedReference,
                "job_configuration.a.$ref.block_document_id", nil
            ),
            (["a": ["$ref": ["block_document_id": "no"]]], .blockNotFound, "job_configuration.a", nil),
            (
                ["a": "{{ prefect.blocks.s.list[0] }}"], .blockNotFound, "job_configuration.a",
                "{{ prefect.blocks.s.list[0] }}"
            ),
            (["a": "{{ prefect.blocks..x }}"], .blockNotFound, "job_configuration.a", "{{ prefect.blocks..x }}"),
        ]
        for (template, kind, path, placeholder) in cases {
            let error = try await templateError { _ = try await render(template, references: references) }
            #expect(error.kind == kind)
            #expect(error.path == path)
            #expect(error.placeholder == placeholder)
            #expect(!error.description.contains("\n"))
            #expect(!error.description.contains("hush-hush"))
            #expect(error.description.contains(error.path))
            #expect(!error.remedy.isEmpty)
        }
    }

    @Test("a failed lookup is distinguished from a missing document or variable")
    func failedLookups() async throws {
        struct Outage: Error, CustomStringConvertible { let description = "connection\nrefused" }
        for template in ["{{ prefect.blocks.s.t }}", "{{ prefect.variables.v }}"] as [JSONValue] {
            let error = try await templateError {
                _ = try await render(["a": template], references: Lookups(failure: Outage()))
            }
            #expect(error.kind == .lookupFailed)
            #expect(error.cause is Outage)
            #expect(error.description.contains("connection refused"))
        }
        await #expect(throws: CancellationError.self) {
            try await render(["a": "{{ prefect.variables.v }}"], references: Lookups(failure: CancellationError()))
        }
    }
}

@Suite("Fields that a template presets")
struct TemplatePresetTests {
    @Test(
        "a field is preset by a value, a block or its variable's default, and not by a variable alone",
        arguments: [
            ([:], nil, true), ("{{ prefect.blocks.kubernetes-cluster-config.x }}", nil, true), ("plain", nil, true),
            ("{{ field }}", ["a": 1], true), ("{{ field.a }}", ["a": 1], true), ("{{ field }}", nil, false),
            (nil, nil, false), ("", nil, false),
        ] as [(JSONValue, JSONValue, Bool)])
    func presets(value: JSONValue, fallback: JSONValue, expected: Bool) {
        let template = BaseJobTemplate(
            jobConfiguration: ["field": value], variables: ["properties": ["field": ["default": fallback]]])
        #expect(template.presets("field") == expected)
        #expect(!template.presets("other"))
    }
}
