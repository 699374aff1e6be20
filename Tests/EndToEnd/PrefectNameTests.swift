import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("The program under the name prefect", .bounded)
struct PrefectNameTests {
    /// Runs a link `prefect` to the program in a new directory, with a fake API.
    private func prefect(
        _ api: FakePrefectAPI, _ arguments: [String], variables: [String: String] = [:], files: [String: String] = [:]
    ) async throws -> WorkerProgram.Outcome {
        try await withTemporaryDirectory { directory in
            for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: "\(directory)/\(name)")) }
            return try await WorkerProgram.runAsPrefect(
                arguments,
                environment: WorkerProgram.environment(home: directory, ["PREFECT_API_URL": api.url])
                    .merging(variables) { $1 }, in: directory)
        }
    }

    @Test("work-pool inspect prints a pool, and its exit status reports whether the pool exists, also after a 503")
    func inspect() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p", type: "kubernetes")
            api.script(
                method: "GET", path: "/work_pools/*", times: 2, answer: .status(503, headers: [("Retry-After", "0")]))
            for format in [[], ["-o", "json"], ["--output", "JSON"]] {
                let found = try await prefect(api, ["work-pool", "inspect", "p"] + format)
                #expect(found.status == .exited(0), "\(found.text)")
                let pool = try JSONValue(parsing: found.output.joined(separator: "\n"))
                #expect(pool["name"] == "p" && pool["type"] == "kubernetes")
            }
            let missing = try await prefect(api, ["work-pool", "inspect", "q"])
            #expect(missing.status == .exited(1) && missing.output == ["Work pool 'q' not found!"])
            let yaml = try await prefect(api, ["work-pool", "inspect", "p", "-o", "yaml"])
            #expect(yaml.status == .exited(1) && yaml.output == ["Only 'json' output format is supported."])
        }
    }

    @Test("work-pool create uses the template of the type or a file, and replaces a pool only with --overwrite")
    func create() async throws {
        try await withFakePrefectAPI { api in
            let made = try await prefect(api, ["--no-prompt", "work-pool", "create", "p", "--type", "docker"])
            #expect(made.status == .exited(0) && made.output.first == "Created work pool 'p'!", "\(made.text)")
            #expect(api.pool("p")?.type == "docker")
            #expect(api.pool("p")?.baseJobTemplate["variables"]?["properties"]?["image"] != nil)

            let again = try await prefect(api, ["work-pool", "create", "p", "-t", "docker"])
            #expect(again.status == .exited(1))
            #expect(again.output == ["Work pool named 'p' already exists. Use --overwrite to update it."])

            let replaced = try await prefect(
                api, ["work-pool", "create", "p", "--overwrite", "--paused", "--base-job-template", "t.json"],
                files: ["t.json": #"{"job_configuration": {"a": 1}, "variables": {"type": "object"}}"#])
            #expect(replaced.status == .exited(0) && replaced.output.first == "Updated work pool 'p'!")
            #expect(api.pool("p")?.baseJobTemplate["job_configuration"] == ["a": 1])
            #expect(api.pool("p")?.isPaused == true && api.pool("p")?.type == "docker")

            for (arguments, part) in [(["q"], "--type"), (["q", "--type", "none"], "Unknown work pool type 'none'")] {
                let refused = try await prefect(api, ["work-pool", "create"] + arguments)
                #expect(refused.status == .exited(1) && refused.text.contains(part), "\(refused.text)")
            }
        }
    }

    @Test("work-pool update changes only what its options name")
    func update() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            let template = #"{"job_configuration": {"b": 2}, "variables": {"type": "object"}}"#
            let changed = try await prefect(
                api, ["work-pool", "update", "p", "--base-job-template", "./t.json"], files: ["t.json": template])
            #expect(changed.status == .exited(0) && changed.output == ["Updated work pool 'p'"])
            let limited = try await prefect(
                api, ["work-pool", "update", "p", "--concurrency-limit", "3", "--description", "mine"])
            #expect(limited.status == .exited(0))
            #expect(
                api.requests("PATCH", "/work_pools/p").map(\.body) == [
                    ["base_job_template": try JSONValue(parsing: template)],
                    ["concurrency_limit": 3, "description": "mine"],
                ])
            let missing = try await prefect(api, ["work-pool", "update", "q", "--description", "mine"])
            #expect(missing.status == .exited(1) && missing.output == ["Work pool named 'q' does not exist."])
            let unreadable = try await prefect(api, ["work-pool", "update", "p", "--base-job-template", "none.json"])
            #expect(unreadable.status == .exited(1) && unreadable.errors.count == 1)
            #expect(unreadable.text.contains("none.json") && unreadable.text.contains("cannot be read"))
        }
    }

    @Test("worker start serves the pool, and version prints the version of Prefect")
    func start() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p", template: FakePrefectAPI.processTemplate)
            let served = try await prefect(
                api,
                ["worker", "start", "--type", "process", "--pool", "p", "--install-policy", "prompt", "--run-once"],
                variables: ["PREFECT_WORKER_PYTHON": "none"])
            #expect(served.status == .exited(0), "\(served.text)")
            #expect(!api.requests("POST", "/work_pools/p/get_scheduled_flow_runs").isEmpty)

            let version = try await prefect(api, ["version"])
            #expect(version.output.first?.contains(/^Version: +3\.[0-9.]+$/) == true, "\(version.text)")
            let number = try await prefect(api, ["--version"])
            #expect(number.output.first?.contains(/^3\.[0-9.]+$/) == true && number.output.count == 1)
        }
    }

    @Test(
        "other commands and wrong options end with exit status 2, and the line names the command but no secret",
        arguments: [
            (["flow-run", "execute", "--key", "pnu_secret"], "'prefect flow-run execute'"),
            (["config", "set", "PREFECT_API_KEY=pnu_secret"], "'prefect config set'"),
            (["cloud", "login", "-k", "pnu_secret"], "'prefect cloud login'"),
            (["work-pool", "ls"], "'prefect work-pool ls'"), (["worker", "stop"], "'prefect worker stop'"),
            (["work-pool", "inspect"], "<name>"), (["work-pool", "update", "p", "--nothing"], "--nothing"),
        ] as [([String], String)])
    func refusals(arguments: [String], part: String) async throws {
        try await withFakePrefectAPI { api in
            let refused = try await prefect(api, arguments)
            #expect(refused.status == .exited(2) && refused.output.isEmpty, "\(refused.text)")
            #expect(refused.errors.first?.contains(part) == true, "\(refused.text)")
            #expect(!refused.text.contains("pnu_secret"))
        }
    }
}

extension WorkerProgram {
    /// Runs the program through a link `prefect` in the working directory.
    static func runAsPrefect(
        _ arguments: [String], environment: [String: String], in directory: String
    ) async throws -> Outcome {
        let link = "\(directory)/bin/prefect"
        try FileManager.default.createDirectory(atPath: "\(directory)/bin", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        return try await withChildProcess(
            link, arguments, environment: environment, workingDirectory: directory
        ) { program in
            let status = try await program.waitForExit(timeout: .seconds(90))
            return Outcome(status: status, output: program.output, errors: program.errors)
        }
    }
}
