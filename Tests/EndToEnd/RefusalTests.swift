import PrefectJSON
import TestSupport
import Testing

@Suite("User errors", .bounded)
struct RefusalTests {
    /// A user error, and the parts of its message.
    struct Mistake: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let arguments: [String]
        /// Environment variables. Unless they set the API's URL, nothing listens at it.
        var variables: [String: String] = [:]
        /// Files in the working directory. `DIRECTORY` in arguments and variables stands for that directory.
        var files: [String: String] = [:]
        /// The parts that the message must contain.
        let says: [String]
        var status: Int32 = 1
    }

    static let mistakes: [Mistake] = [
        Mistake(
            testDescription: "no API URL", arguments: ["start", "--pool", "p"], variables: ["PREFECT_API_URL": ""],
            says: ["PREFECT_API_URL"]),
        Mistake(
            testDescription: "an invalid API URL", arguments: ["start", "--pool", "p"],
            variables: ["PREFECT_API_URL": "127.0.0.1:4200/api"], says: ["PREFECT_API_URL"]),
        Mistake(
            testDescription: "a health check without an answer from a worker", arguments: ["healthcheck"],
            variables: ["PREFECT_WORKER_WEBSERVER_PORT": "1"],
            says: ["http://127.0.0.1:1/health", "--with-healthcheck"]),
        Mistake(
            testDescription: "a health check with port 0", arguments: ["healthcheck"],
            variables: ["PREFECT_WORKER_WEBSERVER_PORT": "0"], says: ["PREFECT_WORKER_WEBSERVER_PORT"]),
        Mistake(testDescription: "no pool and no interactive terminal", arguments: ["start"], says: ["--pool"]),
        Mistake(
            testDescription: "a slash in the name", arguments: ["start", "--pool", "p", "--name", "a/b"],
            says: ["--name", "'/'", "a/b"]),
        Mistake(
            testDescription: "a per cent sign in the name", arguments: ["start", "--pool", "p", "--name", "a%b"],
            says: ["--name", "'%'", "a%b"]),
        Mistake(
            testDescription: "a slash in the name of a pool", arguments: ["start", "--pool", "a/b"],
            says: ["--pool", "cannot contain '/'", "a/b"]),
        Mistake(
            testDescription: "a slash in the name of a pool to check", arguments: ["check", "--pool", "a/b"],
            says: ["--pool", "cannot contain '/'", "a/b"]),
        Mistake(
            testDescription: "a slash in the name of a pool in a configuration",
            arguments: ["start", "--config", "c.toml"],
            files: ["c.toml": "[pools.\"a/b\"]\n"], says: ["[pools.\"a/b\"]", "c.toml", "cannot contain '/'"]),
        Mistake(
            testDescription: "a unit instance together with a configuration",
            arguments: ["start", "--unit-instance", "p", "--config", "c.toml"], says: ["--unit-instance", "c.toml"]),
        Mistake(
            testDescription: "queues with several pools",
            arguments: ["start", "--pool", "p", "--pool", "q", "--work-queue", "a"], says: ["--work-queue", "--config"]),
        Mistake(
            testDescription: "pools in flags and in a configuration",
            arguments: ["start", "--pool", "p", "--config", "c.toml"], says: ["--pool", "c.toml"]),
        Mistake(
            testDescription: "a configuration that does not exist", arguments: ["start", "--config", "c.toml"],
            says: ["c.toml", "[pools.NAME]"]),
        Mistake(
            testDescription: "a configuration without a pool", arguments: ["start", "--config", "c.toml"],
            files: ["c.toml": "limit = 3\n"], says: ["c.toml", "[pools.NAME]"]),
        Mistake(
            testDescription: "an unknown key in a configuration", arguments: ["start"],
            variables: ["PREFECT_WORKER_CONFIG": "DIRECTORY/c.toml"],
            files: ["c.toml": "[pools.p]\nqueue = \"a\"\n"], says: ["'pools.p.queue'", "c.toml", "queues"]),
        Mistake(
            testDescription: "a systemd pool without a usable state directory",
            arguments: ["start", "--pool", "p", "--type", "systemd", "--state-dir", "/proc/none"],
            says: ["'/proc/none'", "cannot be used", "systemd pool", "--state-dir"]),
        Mistake(
            testDescription: "an invalid limit in a configuration", arguments: ["start", "--config", "c.toml"],
            files: ["c.toml": "[pools.p]\nlimit = \"3\"\n"], says: ["'pools.p.limit'", "whole number"]),
        Mistake(
            testDescription: "a slash in the name of a worker in a configuration",
            arguments: ["start", "--config", "c.toml"],
            files: ["c.toml": "[pools.p]\nname = \"a/b\"\n"], says: ["pools.p.name", "a/b"]),
        Mistake(
            testDescription: "a type that does not exist", arguments: ["start", "--pool", "p", "--type", "abacus"],
            says: ["abacus", "process"]),
        Mistake(
            testDescription: "a template file that does not exist",
            arguments: ["start", "--pool", "p", "--base-job-template", "none.json"], says: ["none.json"]),
        Mistake(
            testDescription: "a template that is not JSON",
            arguments: ["start", "--pool", "p", "--base-job-template", "t.json"],
            files: ["t.json": "{\n  \"job_configuration\": {,}\n}"], says: ["t.json", "line 2"]),
        Mistake(
            testDescription: "a template without its required keys",
            arguments: ["start", "--pool", "p", "--base-job-template", "t.json"],
            files: ["t.json": "{\"variables\": {}}"], says: ["t.json", "job_configuration"]),
        Mistake(
            testDescription: "a profile that does not exist",
            arguments: ["--profile", "other", "start", "--pool", "p"],
            says: ["'other'", "profiles.toml"]),
        Mistake(
            testDescription: "profiles that are not TOML", arguments: ["start", "--pool", "p"],
            variables: ["PREFECT_PROFILES_PATH": "DIRECTORY/profiles.toml"],
            files: ["profiles.toml": "active = \"x\"\n[profiles.x\nA = \"b\"\n"],
            says: ["DIRECTORY/profiles.toml", "2"]),
        Mistake(
            testDescription: "settings that are not TOML", arguments: ["start", "--pool", "p"],
            files: ["prefect.toml": "[api]\nurl = \"http://127.0.0.1:1/api\"\nkey = = 3\n"],
            says: ["prefect.toml", "3"]
        ),
        Mistake(
            testDescription: "a setting with an invalid value", arguments: ["start", "--pool", "p"],
            variables: ["PREFECT_WORKER_QUERY_SECONDS": "soon"], says: ["PREFECT_WORKER_QUERY_SECONDS"]),
        Mistake(
            testDescription: "an invalid drain timeout", arguments: ["start", "--pool", "p"],
            variables: ["PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS": "1e300"],
            says: ["PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS", "from 0 to 1000000000", "1e300"]),
        Mistake(
            testDescription: "an invalid interval of log batches", arguments: ["start", "--pool", "p"],
            variables: ["PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "nan"],
            says: ["PREFECT_LOGGING_TO_API_BATCH_INTERVAL", "at most 1000000000"]),
        Mistake(
            testDescription: "an invalid timeout for Docker's answers",
            arguments: ["start", "--pool", "p", "--type", "docker"],
            variables: ["DOCKER_CLIENT_TIMEOUT": "inf", "DOCKER_HOST": "unix:///nowhere"],
            says: ["DOCKER_CLIENT_TIMEOUT", "at most 86400"]),
        Mistake(
            testDescription: "a type with terminal control characters",
            arguments: ["start", "--pool", "p", "--type", "a\u{1B}[2J\u{9B}1m\u{202E}b\nError: all is well"],
            says: [#"'a\x1b[2J\x9b1m\u202eb\nError: all is well'"#]),
        Mistake(
            testDescription: "a profile with terminal control characters",
            arguments: ["--profile", "a\u{1B}[2J\nb", "start", "--pool", "p"], says: ["'a [2J b'"]),
        Mistake(
            testDescription: "a template of an unknown type", arguments: ["template", "abacus"],
            says: ["abacus", "process"]),
        Mistake(
            testDescription: "an input that does not exist", arguments: ["render", "--input", "none.json"],
            says: ["none.json"]),
        Mistake(
            testDescription: "an input that is not JSON", arguments: ["render", "--input", "i.json"],
            files: ["i.json": "nothing"], says: ["i.json", "JSON"]),
        Mistake(
            testDescription: "an input without the run", arguments: ["render", "--input", "i.json"],
            files: ["i.json": "{\"work_pool\": {\"id\": \"1\", \"name\": \"p\", \"type\": \"process\"}}"],
            says: ["input", "flow_run"]),
        Mistake(
            testDescription: "an incomplete name of a deployment", arguments: ["render", "--deployment", "flow"],
            says: ["flow", "FLOW/NAME"]),
    ]

    @Test("a user error is reported in one line, without internal details", arguments: mistakes)
    func mistake(_ mistake: Mistake) async throws {
        try await withTemporaryDirectory { directory in
            for (name, text) in mistake.files { try TestFile.write(text, to: "\(directory)/\(name)") }
            func filled(_ text: String) -> String {
                text.split(separator: "DIRECTORY", omittingEmptySubsequences: false).joined(separator: directory)
            }
            var variables = ["PREFECT_API_URL": "http://127.0.0.1:1/api"]
            for (name, value) in mistake.variables { variables[name] = filled(value) }
            if variables["PREFECT_API_URL"] == "" { variables["PREFECT_API_URL"] = nil }
            let worker = try await WorkerProgram.run(
                mistake.arguments, environment: WorkerProgram.environment(home: directory, variables), in: directory,
                timeout: .seconds(10))
            #expect(worker.status == .exited(mistake.status), "\(worker.text)")
            #expect(worker.output == [])
            // A mistake that is found only when the backend is created comes after the first message about the missing
            // API.
            let errors = worker.errors.filter { !$0.contains("The Prefect API cannot be used yet") }
            #expect(errors.count == 1, "\(worker.text)")
            for part in mistake.says { #expect(worker.text.contains(filled(part)), "\(worker.text)") }
        }
    }

    @Test(
        "an unknown flag and a flag with an invalid value are refused with the usage and status 64",
        arguments: [
            (["start", "--pool", "p", "--no-such-flag"], "--no-such-flag"), (["begin"], "begin"),
            (["start", "--pool", "p", "--limit", "none"], "--limit"),
            (["start", "--pool", "p", "--limit", "0"], "--limit"),
            (["start", "--pool", "p", "--prefetch-seconds", "-1"], "--prefetch-seconds"),
            (["start", "--pool", "p", "--install-policy", "maybe"], "install-policy"),
            (["render"], "--deployment"), (["render", "--input", "f", "--pool", "p"], "--input"),
        ])
    func usage(_ arguments: [String], _ part: String) async throws {
        try await withTemporaryDirectory { directory in
            let worker = try await WorkerProgram.run(
                arguments,
                environment: WorkerProgram.environment(home: directory, ["PREFECT_API_URL": "http://127.0.0.1:1/api"]),
                in: directory)
            #expect(worker.status == .exited(64))
            #expect(worker.errors.first?.contains(part) == true, "\(worker.text)")
            #expect(worker.errors.contains { $0.hasPrefix("Usage: prefect-worker") })
            #expect(worker.output == [])
        }
    }

    @Test("wrong credentials end the worker, and its message does not contain them")
    func wrongCredentials() async throws {
        var configuration = FakeAPIConfiguration()
        configuration.authorization = "Basic YWRtaW46cmlnaHQ="
        try await withFakePrefectAPI(configuration: configuration) { api in
            api.addPool(name: "p")
            let worker = try await runWorker(api, ["PREFECT_API_AUTH_STRING": "admin:wrong-password"])
            #expect(worker.status == .exited(1))
            #expect(worker.errors.count == 1, "\(worker.text)")
            #expect(worker.text.contains("401"))
            #expect(worker.text.contains("PREFECT_API_AUTH_STRING"))
            #expect(!worker.text.contains("wrong-password"))
        }
    }

    @Test(
        "a push pool, a managed pool and a pool of an unknown type are refused by name and type",
        arguments: [
            ("ecs:push", "push"), ("prefect:managed", "managed"), ("mainframe", "mainframe"),
        ])
    func otherPool(_ type: String, _ part: String) async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "cloudy", type: type)
            let worker = try await runWorker(api, pool: "cloudy")
            #expect(worker.status == .exited(1))
            #expect(worker.errors.count == 1, "\(worker.text)")
            #expect(worker.text.contains("cloudy") && worker.text.contains(part), "\(worker.text)")
        }
    }

    @Test("a port in use is reported before the worker polls")
    func portInUse() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            let port = api.url.split(separator: ":")[2].prefix { $0.isNumber }
            let worker = try await runWorker(
                api, ["PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1", "PREFECT_WORKER_WEBSERVER_PORT": String(port)],
                ["--with-healthcheck"])
            #expect(worker.status == .exited(1))
            #expect(worker.errors.count == 1, "\(worker.text)")
            #expect(worker.text.contains(port))
            #expect(worker.text.contains("in use"))
            #expect(api.requests("POST", "*/get_scheduled_flow_runs").isEmpty)
        }
    }

    @Test("an interpreter without Prefect ends the worker, except with `--python none`")
    func interpreterWithoutPrefect() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            try await withTemporaryDirectory { directory in
                // A Python without its site packages has no Prefect.
                let python = "\(directory)/python-alone"
                try TestFile.write("#!/bin/sh\nexec python3 -S -I \"$@\"\n", to: python, isExecutable: true)
                let worker = try await WorkerProgram.run(
                    ["start", "--pool", "p", "--python", python], environment: environment(api, directory),
                    in: directory)
                #expect(worker.status == .exited(1))
                #expect(worker.errors.contains { $0.contains(python) && $0.contains("Prefect") }, "\(worker.text)")
                let none = try await WorkerProgram.run(
                    ["start", "--pool", "p", "--python", "none", "--run-once"],
                    environment: environment(api, directory),
                    in: directory)
                #expect(none.status == .exited(0), "\(none.text)")
            }
        }
    }

    @Test(
        "with --run-once the status is 0 without due runs or with a failed run, and 1 when the API fails",
        arguments: ["idle", "missing", "to be created", "paused", "failed run", "503"])
    func runOnce(situation: String) async throws {
        try await withFakePrefectAPI { api in
            var arguments = ["--run-once", "--python", "none"]
            switch situation {
            case "missing": arguments.append("--no-create-pool-if-not-found")
            case "to be created": break
            default:
                let pool = api.addPool(name: "p", template: FakePrefectAPI.processTemplate)
                if situation == "paused" { api.setPaused(true, pool: "p") }
                if situation == "503" { api.script(path: "/work_pools/p", answer: .status(503)) }
                if situation == "failed run" {
                    let deployment = api.addDeployment(
                        name: "d", pool: pool, jobVariables: ["command": "true", "working_dir": "/does/not/exist"])
                    api.scheduleRun(deployment: deployment)
                }
            }
            let worker = try await runWorker(api, [:], arguments)
            #expect(worker.status == .exited(situation == "503" ? 1 : 0), "\(worker.text)")
            let saysMissing = worker.text.split(separator: "\n").filter { $0.contains("'p' does not exist; create it") }
            #expect(saysMissing.count == (situation == "missing" ? 1 : 0), "\(worker.text)")
            #expect((api.pool("p") == nil) == (situation == "missing"))
            if situation == "failed run" { #expect(api.snapshot.runs.map(\.stateType) == [.crashed]) }
            if situation == "503" { #expect(worker.errors.count { $0.hasPrefix("Error: ") } == 1) }
        }
    }

    @Test("headers that only the client may set are ignored with one warning")
    func protectedHeaders() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            let headers = #"{"User-Agent": "mine", "Prefect-Csrf-Token": "mine", "X-Own": "yes"}"#
            let worker = try await runWorker(
                api, ["PREFECT_CLIENT_CUSTOM_HEADERS": headers], ["--run-once", "--python", "none"])
            #expect(worker.status == .exited(0), "\(worker.text)")
            let lines = worker.text.split(separator: "\n").filter { $0.contains("PREFECT_CLIENT_CUSTOM_HEADERS") }
            #expect(lines.count == 1 && lines[0].contains("WARNING"), "\(worker.text)")
            #expect(api.requests.allSatisfy { $0.header("X-Own") == "yes" })
            #expect(!api.requests.contains { $0.headers.contains { $0.value == "mine" } })
        }
    }

    @Test("a run whose deployment is gone at the claim is cancelled")
    func deploymentIsGone() async throws {
        try await withFakePrefectAPI { api in
            let pool = api.addPool(name: "p")
            let deployment = api.addDeployment(name: "d", pool: pool)
            let run = api.scheduleRun(deployment: deployment)
            api.removeDeploymentAlone(deployment)
            let worker = try await runWorker(api, [:], ["--run-once", "--python", "none"])
            #expect(worker.status == .exited(0), "\(worker.text)")
            #expect(api.run(run)?.stateName == "Cancelled")
        }
    }

    private func environment(
        _ api: FakePrefectAPI, _ directory: String, _ others: [String: String] = [:]
    ) -> [String: String] {
        WorkerProgram.environment(home: directory, ["PREFECT_API_URL": api.url].merging(others) { $1 })
    }

    private func runWorker(
        _ api: FakePrefectAPI, _ variables: [String: String] = [:], _ arguments: [String] = [], pool: String = "p"
    ) async throws -> WorkerProgram.Outcome {
        try await withTemporaryDirectory { directory in
            try await WorkerProgram.run(
                ["start", "--pool", pool, "--name", "n"] + arguments,
                environment: environment(api, directory, variables),
                in: directory)
        }
    }

    @Test("a number out of range is refused with the allowed range, also in the form `worker start`")
    func numbers() async throws {
        try await withTemporaryDirectory { directory in
            for (arguments, says) in [
                (["worker", "start", "--limit", "-1"], "--limit must be a whole number, 1 or more, not -1"),
                (["start", "-l", "0"], "--limit must be a whole number, 1 or more, not 0"),
                (["start", "--prefetch-seconds", "-3"], "--prefetch-seconds must be from 0 to 1000000000, not -3"),
                (["start", "--drain-timeout", "-0.5"], "--drain-timeout must be a number of seconds from 0 to"),
                (["start", "--metrics-port", "-2"], "--metrics-port must be from 0 to 65535, not -2"),
            ] {
                let outcome = try await WorkerProgram.run(
                    arguments + ["--pool", "p"], environment: WorkerProgram.environment(home: directory), in: directory)
                #expect(outcome.status == .exited(64))
                #expect(outcome.errors.first?.contains(says) == true, "\(outcome.text)")
            }
        }
    }
}
