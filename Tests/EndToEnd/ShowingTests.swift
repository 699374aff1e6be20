import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@Suite("Output of the program")
struct ShowingTests {
    private func run(
        _ arguments: [String], environment: [String: String]? = nil
    ) async throws -> WorkerProgram.Outcome {
        try await withTemporaryDirectory { directory in
            try await WorkerProgram.run(
                arguments, environment: environment ?? WorkerProgram.environment(home: directory), in: directory)
        }
    }

    /// Standard output as one JSON document.
    private func document(_ outcome: WorkerProgram.Outcome) throws -> JSONValue {
        #expect(outcome.status == .exited(0), "\(outcome.text)")
        return try JSONValue(parsing: outcome.output.joined(separator: "\n"))
    }

    private static func goldens() throws -> [JSONValue] {
        try #require(Resource.json("prepared_golden").arrayValue)
    }

    /// Renders a recorded input in exactly the environment of the recording.
    private func render(_ input: JSONValue, _ arguments: [String] = []) async throws -> WorkerProgram.Outcome {
        let environment = (input["process_env"]?.objectValue ?? [:]).compactMap { member in
            member.value.stringValue.map { (member.key, $0) }
        }
        return try await withTemporaryDirectory { directory in
            try TestFile.write(input.serialized(), to: "\(directory)/input.json")
            return try await WorkerProgram.run(
                ["render", "--input", "\(directory)/input.json", "--python", "/opt/venv/bin/python"] + arguments,
                environment: Dictionary(environment) { $1 }, in: directory)
        }
    }

    @Test("settings prints no password of a URL and no terminal control characters")
    func harmlessSettings() async throws {
        let outcome = try await withTemporaryDirectory { directory in
            try await WorkerProgram.run(
                ["settings"],
                environment: WorkerProgram.environment(
                    home: directory,
                    [
                        "PREFECT_API_URL": "http://me:hunter22@127.0.0.1:1/api",
                        "PREFECT_UI_URL": "x\u{1B}[2J\u{9B}1m\u{202E}\u{200F}\nPREFECT_API_KEY  y",
                    ]), in: directory)
        }
        #expect(outcome.status == .exited(0), "\(outcome.text)")
        #expect(!outcome.text.contains("hunter22") && outcome.text.contains("http://me:********@127.0.0.1:1/api"))
        #expect(!outcome.text.unicodeScalars.contains { "\u{1B}\u{9B}\u{202E}\u{200F}".unicodeScalars.contains($0) })
        #expect(!outcome.output.contains { $0.hasPrefix("PREFECT_API_KEY  y") })
    }

    /// The Python worker's preparation. For jobs outside the host it excludes the worker's own settings.
    private static func expectation(_ golden: JSONValue) throws -> JSONValue {
        var expected = try #require(golden["expected"])
        guard golden["input"]?["work_pool"]?["type"] != "process", let env = expected["env"]?.objectValue else {
            return expected
        }
        let isOwn = { (name: String) in name == "PREFECT_HOME" || name.hasPrefix("PREFECT_WORKER_") }
        #expect(env.keys.contains(where: isOwn))
        expected["env"] = .object(env.filter { !isOwn($0.key) })
        return expected
    }

    @Test("render gives the Python worker's configuration, from the same objects in the same environment")
    func renderPrepared() async throws {
        let goldens = try Self.goldens()
        #expect(goldens.count == 5)
        for golden in goldens {
            let expected = try Self.expectation(golden)
            let shown = try document(await render(try #require(golden["input"]), ["--show-secrets"]))
            #expect(shown.isEquivalent(to: expected), "\(golden["label"] ?? nil): \(shown.serialized(.pretty))")
        }
    }

    @Test(
        "a Docker or Kubernetes job gets none of the worker's own settings, from any source of settings",
        arguments: ["docker", "kubernetes"])
    func workersOwnSettings(type: String) async throws {
        let object: JSONValue = ["id": "00000000-0000-4000-8000-000000000000", "name": "x"]
        var run = object
        run["flow_id"] = object["id"]
        var pool = object
        pool["type"] = .string(type)
        pool["base_job_template"] = [:]
        let input: JSONValue = ["work_pool": pool, "flow": object, "flow_run": run]
        try await withTemporaryDirectory { directory in
            try TestFile.write(input.serialized(), to: "\(directory)/input.json")
            try TestFile.write(
                "PREFECT_WORKER_WEBSERVER_PORT=81\nPREFECT_LOGGING_LEVEL=DEBUG\n", to: "\(directory)/.env")
            try TestFile.write(
                "home = \"\(directory)/home\"\n[worker]\nheartbeat_seconds = 7\n", to: "\(directory)/prefect.toml")
            try TestFile.write(
                "active = \"p\"\n[profiles.p]\nPREFECT_WORKER_QUERY_SECONDS = \"7\"\nPREFECT_UI_URL = \"http://ui\"\n",
                to: "\(directory)/profiles.toml")
            let outcome = try await WorkerProgram.run(
                ["render", "--input", "\(directory)/input.json"],
                environment: [
                    "HOME": directory, "PATH": "/usr/bin:/bin", "PREFECT_PROFILES_PATH": "\(directory)/profiles.toml",
                    "PREFECT_WORKER_PREFETCH_SECONDS": "7",
                ], in: directory)
            let shown = try document(outcome).serialized()
            for own in ["PREFECT_HOME", "PREFECT_PROFILES_PATH", "PREFECT_WORKER_"] {
                #expect(!shown.contains("\"\(own)"), "\(own)")
            }
            for shared in ["PREFECT_LOGGING_LEVEL", "PREFECT_UI_URL"] { #expect(shown.contains("\"\(shared)\"")) }
        }
    }

    @Test("render --raw gives the template's result without the additions for the run")
    func renderRaw() async throws {
        let input = try #require(Self.goldens()[0]["input"])
        let shown = try document(await render(input, ["--raw"]))
        #expect(shown["command"] == .null)
        #expect(shown["stream_output"] == true)
        #expect(shown["env"] == [:])
        #expect(shown["labels"] == [:])
        #expect(shown["name"] == .null)
    }

    @Test("render masks secret values of the environment, and shows them with --show-secrets")
    func renderMasks() async throws {
        var input = try #require(Self.goldens()[0]["input"])
        input["flow_run"]?["job_variables"] = ["env": ["DATABASE_PASSWORD": "hunter2-hunter2", "PLAIN": "seen"]]
        let masked = try await render(input)
        #expect(try document(masked)["env"]?["PLAIN"] == "seen")
        #expect(!masked.text.contains("hunter2"))
        #expect(try document(await render(input, ["--show-secrets"]))["env"]?["DATABASE_PASSWORD"] == "hunter2-hunter2")
    }

    @Test("render refuses an invalid placeholder in one line that names the placeholder")
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
        "template prints the default base job template of a pool type, with its keys in order",
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

    /// A schema without its descriptions.
    private static func withoutProse(_ value: JSONValue) -> JSONValue {
        guard let members = value.objectValue else { return value }
        return .object(
            members.filter { $0.value.stringValue == nil || $0.key != "description" }.mapValues(withoutProse))
    }

    private static func keys(_ value: JSONValue) -> [String] { (value.objectValue ?? [:]).map(\.key) }

    @Test(
        "--version and --help print to standard output, without any settings",
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

    @Test("start accepts every flag of `prefect worker start`")
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
