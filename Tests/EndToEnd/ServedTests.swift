import PrefectJSON
import TestSupport
import Testing

@Suite("Commands with a real server", .requires(.prefectServer), .bounded)
struct ServedTests {
    private func run(_ arguments: [String], _ bench: TestBench) async throws -> WorkerProgram.Outcome {
        try await WorkerProgram.run(arguments, environment: bench.environment(), in: bench.directory)
    }

    @Test("render shows the configuration of a deployment or a run, with blocks masked and variables shown")
    func render() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let name = "e2e_\(TestBench.unique())"
            try await server.call("POST", "/variables/", ["name": .string(name), "value": "from a variable"])
            let block = name.split(separator: "_").joined(separator: "-")
            let blockID = try await server.createSecret(name: block, value: "from-a-secret-block")
            let deployment = try await bench.deploy(
                command: "true",
                jobVariables: [
                    "env": [
                        "A": .string("{{ prefect.variables.\(name) }}"),
                        "B": .string("<{{ prefect.blocks.secret.\(block) }}>"),
                    ], "labels": ["team": "ml"], "name": "my-infrastructure",
                ])
            let title = try await server.deploymentName(deployment)
            let shown = try await run(["render", "--deployment", "\(bench.flowName)/\(title)"], bench)
            #expect(shown.status == .exited(0), "\(shown.text)")
            #expect(!shown.text.contains("from-a-secret-block"))
            let json = try JSONValue(parsing: shown.output.joined(separator: "\n"))
            #expect(json["env"]?["A"] == "from a variable")
            #expect(json["env"]?["B"] == "<********>")
            #expect(json["name"] == "my-infrastructure")
            #expect(json["labels"]?["team"] == "ml")
            #expect(json["labels"]?["prefect.io/deployment-name"]?.stringValue == title)
            let flowRun = try await server.createRun(
                deployment: deployment, jobVariables: ["command": "sleep 1"], name: "a-run")
            let clear = try await run(["render", "--flow-run", flowRun, "--show-secrets"], bench)
            let ofRun = try JSONValue(parsing: clear.output.joined(separator: "\n"))
            #expect(ofRun["env"]?["B"] == "<from-a-secret-block>")
            #expect(ofRun["command"] == "sleep 1")
            #expect(ofRun["labels"]?["prefect.io/flow-run-name"] == "a-run")
            try await server.call("DELETE", "/variables/name/\(name)")
            try await server.call("DELETE", "/block_documents/\(blockID)")
        }
    }

    @Test("render reports a missing object in one line that names the object")
    func renderMissing() async throws {
        try await withTestBench { bench in
            let deployment = try await bench.deploy(
                command: "true", jobVariables: ["env": ["A": "{{ prefect.blocks.secret.no-such-block }}"]])
            let title = try await bench.server.deploymentName(deployment)
            let cases = [
                (["--deployment", "\(bench.flowName)/none"], "none"),
                (["--flow-run", "00000000-0000-4000-8000-000000000000"], "00000000-0000-4000-8000-000000000000"),
                (["--deployment", "\(bench.flowName)/\(title)"], "no-such-block"),
                (["--deployment", "\(bench.flowName)/\(title)", "--pool", "no-such-pool"], "no-such-pool"),
            ]
            for (arguments, part) in cases {
                let shown = try await run(["render"] + arguments, bench)
                #expect(shown.status == .exited(1))
                #expect(shown.output == [])
                #expect(shown.errors.count == 1, "\(shown.text)")
                #expect(shown.text.contains(part), "\(shown.text)")
            }
        }
    }

    @Test("check reports each result as ok or WRONG, and its exit status agrees")
    func check() async throws {
        try await withTestBench { bench in
            let good = try await run(["check", "--pool", bench.pool, "--work-queue", "default"], bench)
            #expect(good.status == .exited(0), "\(good.text)")
            #expect(good.output.allSatisfy { $0.hasPrefix("ok") })
            #expect(good.output.contains { $0.contains("'\(bench.pool)'") })
            #expect(good.output.contains { $0.contains("Python") && $0.contains("Prefect") })
            let cases = [
                (["--pool", bench.pool, "--type", "docker"], "has the type 'process'"),
                (["--python", "/no/such/python"], "/no/such/python"),
            ]
            for (arguments, part) in cases {
                let bad = try await run(["check"] + arguments, bench)
                #expect(bad.status == .exited(1), "\(bad.text)")
                #expect(bad.output.contains { $0.hasPrefix("WRONG") && $0.contains(part) }, "\(bad.text)")
            }
            let away = try await WorkerProgram.run(
                ["check"], environment: bench.environment(["PREFECT_API_URL": "http://127.0.0.1:1/api"]),
                in: bench.directory)
            #expect(away.status == .exited(1))
            #expect(away.output.contains { $0.hasPrefix("WRONG") && $0.contains("API") }, "\(away.text)")
        }
    }

    @Test("a profile can set the API's address, and every line of a JSON log is an object")
    func profileAndLog() async throws {
        try await withTestBench(createsPool: false) { bench in
            try bench.write(
                "profiles.toml", "active = \"none\"\n[profiles.mine]\nPREFECT_API_URL = \"\(bench.server.url)\"\n")
            var environment = bench.environment(["PREFECT_PROFILES_PATH": bench.directory + "/profiles.toml"])
            environment["PREFECT_API_URL"] = nil
            let worker = try await WorkerProgram.run(
                ["--profile", "mine"] + bench.arguments(["--run-once", "--log-format", "json"]),
                environment: environment, in: bench.directory)
            #expect(worker.status == .exited(0), "\(worker.text)")
            #expect(try await bench.server.pool(bench.pool)["type"] == "process")
            #expect(!worker.errors.isEmpty)
            for line in worker.errors {
                let entry = try JSONValue(parsing: line)
                #expect(entry["message"]?.stringValue != nil && entry["level"]?.stringValue != nil, "\(line)")
            }
        }
    }

    @Test("no secret appears in the worker's log, in the API's logs or in a command line")
    func secrets() async throws {
        let key = "pnu_e2eKeyThatNobodyMaySee"
        let password = "admin:e2ePasswordThatNobodyMaySee"
        let secret = "e2eBlockThatNobodyMaySee"
        try await withTestBench { bench in
            let server = bench.server
            let block = "e2e-\(TestBench.unique())"
            let blockID = try await server.createSecret(name: block, value: secret)
            let placeholder = "{{ prefect.blocks.secret.\(block) }}"
            let env: JSONValue = ["SECRET": .string(placeholder)]
            let script = try bench.script(
                "look",
                "tr '\\0' ' ' </proc/$$/cmdline >'\(bench.directory)/commands'; env >>'\(bench.directory)/variables'; exit 3"
            )
            let crashing = try await server.createRun(
                deployment: bench.deploy(command: script, jobVariables: ["env": env]))
            let missing = try await server.createRun(
                deployment: bench.deploy(command: "/no/\(placeholder)/program", jobVariables: ["env": env]))
            let homeless = try await server.createRun(
                deployment: bench.deploy(
                    command: script, jobVariables: ["env": env, "working_dir": .string("/no/\(placeholder)")]))
            let runs = [crashing, missing, homeless]
            let variables = [
                "PREFECT_API_KEY": key, "PREFECT_API_AUTH_STRING": password, "PREFECT_LOGGING_LEVEL": "DEBUG",
            ]
            let output = try await bench.withWorker(variables: variables) { worker in
                for run in runs { try await server.waitForRun(run, toBe: ["Crashed", "Completed"]) }
                try await eventually("the server has the run's logs") { try await server.logs(of: homeless).count >= 2 }
                let commands = ProcessTable.commandLine(worker.processID)
                #expect(!commands.contains("MaySee"))
                return worker
            }.lines.map(\.text)
            // The process itself gets the secrets, because it needs them.
            #expect(bench.notes("variables").contains("SECRET=\(secret)"))
            #expect(bench.notes("variables").contains("PREFECT_API_KEY=\(key)"))
            var shown = output + bench.notes("commands")
            for run in runs {
                shown += try await server.logs(of: run)
                shown.append(try await server.flowRun(run)["state"]?["message"]?.stringValue ?? "")
            }
            for line in shown { #expect(!line.contains("MaySee"), "\(line)") }
            try await server.call("DELETE", "/block_documents/\(blockID)")
        }
    }

    @Test("a worker starts without its API, is alive but not ready, and serves when the API becomes available")
    func apiComesLater() async throws {
        try await withTestBench { bench in
            let script = try bench.script("note", "echo done >>'\(bench.directory)/runs'")
            _ = try await bench.server.createRun(deployment: bench.deploy(command: script))
            try await withFaultProxy(to: bench.server.url) { proxy in
                try await proxy.setMode(.refuse)
                let variables = Probe.anyPort.merging(["PREFECT_API_URL": proxy.url]) { $1 }
                try await bench.withWorker(["--with-healthcheck"], variables: variables) { worker in
                    let probe = try await Probe(worker)
                    try await worker.waitForLine(containing: "cannot be used yet")
                    #expect(try await probe.get("/health") == "200 OK")
                    #expect(try await probe.get("/ready").hasPrefix("503 "))
                    try await proxy.setMode(.pass)
                    try await bench.waitForNotes("runs", within: .seconds(90))
                    try await eventually(within: .seconds(10), "the worker is ready") {
                        try await probe.get("/ready") == "200 OK"
                    }
                    #expect(try await probe.get("/health") == "200 OK")
                }
            }
            #expect(bench.notes("runs") == ["done"])
        }
    }

    @Test("a run's name cannot begin a line or control the terminal, in the worker's log and in `runs`")
    func hostileName() async throws {
        try await withTestBench { bench in
            let script = try bench.script(
                "wait",
                "echo begun >>'\(bench.directory)/runs'; until [ -e '\(bench.directory)/end' ]; do sleep 0.05; done")
            let name = "owl\n12:00:00.000 | ERROR | forged\u{1b}[2J\u{9b}31m\u{202e}\r"
            let run = try await bench.server.createRun(deployment: bench.deploy(command: script), name: name)
            try await bench.withWorker { worker in
                try await bench.waitForNotes("runs")
                try await worker.waitForLine("a line with the name") {
                    $0.source == .error && $0.text.contains("forged")
                }
                for arguments in [["runs"], ["runs", "--json"]] {
                    let shown = try await WorkerProgram.run(
                        arguments, environment: bench.environment(), in: bench.directory)
                    #expect(shown.text.contains(run) && shown.text.contains("owl"), "\(shown.text)")
                    for line in shown.output + worker.errors {
                        #expect(!line.hasPrefix("12:00:00.000"), "\(line.debugDescription)")
                        #expect(!line.unicodeScalars.contains(where: Self.steersTerminal), "\(line.debugDescription)")
                    }
                }
                try bench.write("end", "")
                // A worker that exits before it has reported the run's end keeps the run for its next start.
                try await eventually(within: .seconds(60), "no row and no run directory remains") {
                    try await bench.remains() == []
                }
            }
            let nothing = try await self.run(["runs"], bench)
            #expect(nothing.output == ["No flow run is in flight on this host."])
            #expect(try await self.run(["runs", "--json"], bench).output == [])
        }
    }

    /// Whether a character is a C0 or C1 control character, or changes the direction of text.
    private static func steersTerminal(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f...0x9f, 0x202a...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
