import JSON
import OrderedCollections
import TestSupport
import Testing

@Suite("What the program shows")
struct ShowingTests {
    private func run(
        _ arguments: [String], environment: [String: String]? = nil
    ) async throws -> WorkerProgram.Outcome {
        try await withTemporaryDirectory { folder in
            try await WorkerProgram.run(
                arguments, environment: environment ?? WorkerProgram.environment(home: folder), in: folder)
        }
    }

    /// Standard output as the one JSON document that it has to be.
    private func document(_ outcome: WorkerProgram.Outcome) throws -> JSONValue {
        #expect(outcome.status == .exited(0), "\(outcome.text)")
        return try JSONValue(parsing: outcome.output.joined(separator: "\n"))
    }

    private static func goldens() throws -> [JSONValue] {
        try #require(Resource.json("prepared_golden").arrayValue)
    }

    /// Renders a recorded input in exactly the environment in which it was recorded.
    private func render(_ input: JSONValue, _ arguments: [String] = []) async throws -> WorkerProgram.Outcome {
        let environment = (input["process_env"]?.objectValue ?? [:]).compactMap { member in
            member.value.stringValue.map { (member.key, $0) }
        }
        return try await withTemporaryDirectory { folder in
            try Folder.write(input.serialized(), to: "\(folder)/input.json")
            return try await WorkerProgram.run(
                ["render", "--input", "\(folder)/input.json", "--python", "/opt/venv/bin/python"] + arguments,
                environment: Dictionary(environment) { $1 }, in: folder)
        }
    }

    @Test("render gives what the Python worker prepares, from the same objects in the same environment")
    func renderPrepared() async throws {
        let goldens = try Self.goldens()
        #expect(goldens.count == 5)
        for golden in goldens {
            let expected = try #require(golden["expected"])
            let shown = try document(await render(try #require(golden["input"]), ["--show-secrets"]))
            #expect(shown.isEquivalent(to: expected), "\(golden["label"] ?? nil): \(shown.serialized(.pretty))")
        }
    }

    @Test("render --raw gives the template's result without what is added for the run")
    func renderRaw() async throws {
        let input = try #require(Self.goldens()[0]["input"])
        let shown = try document(await render(input, ["--raw"]))
        #expect(shown["command"] == .null)
        #expect(shown["stream_output"] == true)
        #expect(shown["env"] == [:])
        #expect(shown["labels"] == [:])
        #expect(shown["name"] == .null)
    }

    @Test("render masks what the environment says is secret, and shows it on demand")
    func renderMasks() async throws {
        var input = try #require(Self.goldens()[0]["input"])
        input["flow_run"]?["job_variables"] = ["env": ["DATABASE_PASSWORD": "hunter2-hunter2", "PLAIN": "seen"]]
        let masked = try await render(input)
        #expect(try document(masked)["env"]?["PLAIN"] == "seen")
        #expect(!masked.text.contains("hunter2"))
        #expect(try document(await render(input, ["--show-secrets"]))["env"]?["DATABASE_PASSWORD"] == "hunter2-hunter2")
    }

    @Test("render of a template with a placeholder that leads nowhere is one line that names it")
    func renderWrongPlaceholder() async throws {
        var input = try #require(Self.goldens()[0]["input"])
        input["flow_run"]?["job_variables"] = ["env": ["A": "{{ prefect.blocks.secret }}"]]
        let worker = try await render(input)
        #expect(worker.status == .exited(1))
        #expect(worker.output == [])
        #expect(worker.errors.count == 1, "\(worker.text)")
        #expect(worker.text.contains("prefect.blocks.secret"))
    }

    @Test(
        "template gives the default base job template of a type of pool, its keys in order",
        arguments: ["process", "docker"])
    func template(type: String) async throws {
        let shown = try document(await run(["template", type]))
        let expected = try Resource.json("\(type)_template")
        #expect(Self.withoutProse(shown).isEquivalent(to: Self.withoutProse(expected)))
        for part in ["job_configuration", "variables"] {
            #expect(shown[part].map(Self.keys) == expected[part].map(Self.keys))
        }
        #expect(
            shown["variables"]?["properties"].map(Self.keys) == expected["variables"]?["properties"].map(Self.keys))
    }

    /// A schema without what it says to people.
    private static func withoutProse(_ value: JSONValue) -> JSONValue {
        guard let members = value.objectValue else { return value }
        return .object(
            members.filter { $0.value.stringValue == nil || $0.key != "description" }.mapValues(withoutProse))
    }

    private static func keys(_ value: JSONValue) -> [String] { (value.objectValue ?? [:]).map(\.key) }

    @Test(
        "--version and --help answer at once, on standard output, without any settings",
        arguments: [
            (["--version"], "prefect-worker "), (["--help"], "OVERVIEW"), (["start", "--help"], "--base-job-template"),
            (["render", "--help"], "--show-secrets"), (["check", "--help"], "--work-queue"),
            (["template", "--help"], "<type>"),
        ])
    func help(_ arguments: [String], _ part: String) async throws {
        let shown = try await run(arguments)
        #expect(shown.status == .exited(0))
        #expect(shown.output.contains { $0.contains(part) })
        #expect(shown.errors == [])
    }

    @Test("start takes every flag of `prefect worker start`")
    func flags() async throws {
        let shown = try await run(["start", "--help"])
        let flags = [
            "-n, --name", "-p, --pool", "-q, --work-queue", "-t, --type", "--prefetch-seconds", "--run-once",
            "-l, --limit", "--with-healthcheck", "--install-policy", "--base-job-template",
            "--create-pool-if-not-found", "--no-create-pool-if-not-found",
        ]
        for flag in flags { #expect(shown.text.contains(flag), "\(flag)") }
    }
}
