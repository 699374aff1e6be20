import PrefectJSON
import TestSupport
import Testing

@Suite("Flow runs with a custom command", .requires(.prefectServer), .bounded)
struct CommandTests {
    @Test("a run that is part of a trace has the trace in its environment")
    func trace() async throws {
        try await withTestBench { bench in
            let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            let script = try bench.script("traced", "echo $TRACEPARENT >>'\(bench.directory)/trace'")
            _ = try await bench.server.createRun(
                deployment: bench.deploy(command: script), labels: ["__OTEL_TRACEPARENT": .string(traceparent)])
            try await bench.withWorker { _ in try await bench.waitForNotes("trace") }
            #expect(bench.notes("trace") == [traceparent])
        }
    }

    @Test("a command that is missing, not executable or without its directory crashes only its run, with the reason")
    func cannotStart() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let script = try bench.script("not-executable", "exit 0", isExecutable: false)
            let good = try bench.script("good", "echo done >>'\(bench.directory)/good-notes'")
            let missing = try await server.createRun(deployment: bench.deploy(command: "no-such-program --flag"))
            let refused = try await server.createRun(deployment: bench.deploy(command: script))
            let homeless = try await server.createRun(
                deployment: bench.deploy(command: good, jobVariables: ["working_dir": "/no/such/directory"]))
            try await bench.withWorker { worker in
                let expected = [
                    (missing, ["no-such-program"], "PATH"),
                    (refused, ["not-executable"], "executable bit"),
                    (homeless, ["/no/such/directory", "does not exist"], ""),
                ]
                for (run, parts, hint) in expected {
                    let crash = try await server.waitForRun(run, toBe: ["Crashed", "Completed"])
                    let message = crash["state"]?["message"]?.stringValue ?? ""
                    for part in parts { #expect(message.contains(part), "\(message)") }
                    #expect(message.contains("Failed to submit flow run to infrastructure"))
                    guard !hint.isEmpty else { continue }
                    try await eventually("the logs contain the hint") {
                        try await server.logs(of: run).contains { $0.contains(hint) }
                    }
                }
                _ = try await server.createRun(deployment: bench.deploy(command: good))
                try await bench.waitForNotes("good-notes")
                #expect(worker.exitStatus == nil)
            }
            #expect(bench.notes("good-notes") == ["done"])
        }
    }

    @Test("a command's exit status is reported with a hint and the last lines of standard error")
    func exitStatus() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let script = try bench.script("seven", "echo 'it went wrong' >&2; exit 137")
            let run = try await server.createRun(deployment: bench.deploy(command: script))
            try await bench.withWorker { worker in
                let crash = try await server.waitForRun(run, toBe: ["Crashed", "Completed"])
                let message = crash["state"]?["message"]?.stringValue ?? ""
                #expect(message.contains("exited with non-zero status code 137"))
                #expect(message.contains("memory"))
                try await worker.waitForLine(containing: "it went wrong")
                try await eventually("the logs contain the last line and the hint") {
                    let logs = try await server.logs(of: run)
                    return logs.contains { $0.contains("it went wrong") }
                        && logs.contains { $0.contains("more memory") }
                }
            }
        }
    }

    @Test("a run without a deployment runs its own command")
    func withoutDeployment() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let script = try bench.script("own", "env >'\(bench.directory)/own-notes.tmp'; mv \"$1.tmp\" \"$1\"")
            let run = try await server.call(
                "POST", "/flow_runs/",
                [
                    "flow_id": .string(bench.flow), "work_pool_name": .string(bench.pool),
                    "state": ["type": "SCHEDULED"],
                    "job_variables": ["command": .string("\(script) \(bench.directory)/own-notes")],
                ])
            let id = try #require(run["id"]?.stringValue)
            #expect(run["deployment_id"] == .null)
            try await bench.withWorker { _ in try await bench.waitForNotes("own-notes") }
            let variables = bench.notes("own-notes")
            #expect(variables.contains("PREFECT__FLOW_RUN_ID=\(id)"))
            #expect(variables.contains("PREFECT__FLOW_NAME=\(bench.flowName)"))
            #expect(!variables.contains { $0.hasPrefix("PREFECT__DEPLOYMENT_ID=") })
        }
    }

    @Test("a run whose deployment is deleted before the claim does not run, and other runs are not affected")
    func deploymentIsDeleted() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let script = try bench.script("note", "echo \"$PREFECT__FLOW_RUN_ID\" >>'\(bench.directory)/runs'")
            let gone = try await bench.deploy(command: script)
            let stays = try await bench.deploy(command: script)
            _ = try await server.createRun(deployment: gone)
            let run = try await server.createRun(deployment: stays)
            try await server.deleteDeployment(gone)
            try await bench.withWorker { _ in try await bench.waitForNotes("runs") }
            #expect(bench.notes("runs") == [run])
        }
    }

    @Test(
        "job variables reach the process: environment, server variables, secrets, and the choice of no output")
    func jobVariables() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let name = "e2e_\(TestBench.unique())"
            try await server.call("POST", "/variables/", ["name": .string(name), "value": "from a variable"])
            let block = name.split(separator: "_").joined(separator: "-")
            let blockID = try await server.createSecret(name: block, value: "from a block")
            let script = try bench.script(
                "shout",
                "echo shouting; env >'\(bench.directory)/env.tmp'; mv '\(bench.directory)/env.tmp' \"$1\"; pwd -P")
            let variables: JSONValue = [
                "env": [
                    "GREETING": "from the deployment", "OTHER": "only the deployment's",
                    "VARIABLE": .string("{{ prefect.variables.\(name) }}"),
                    "BLOCK": .string("{{ prefect.blocks.secret.\(block) }}"),
                ], "stream_output": false, "working_dir": .string(bench.directory),
            ]
            let deployment = try await bench.deploy(command: "\(script) env-notes", jobVariables: variables)
            _ = try await server.createRun(
                deployment: deployment, jobVariables: ["env": ["GREETING": "from the run"]])
            let output = try await bench.withWorker { worker in
                try await bench.waitForNotes("env-notes")
                return worker
            }.output
            let lines = bench.notes("env-notes")
            #expect(lines.contains("GREETING=from the run"))
            #expect(lines.contains("OTHER=only the deployment's"))
            #expect(lines.contains("VARIABLE=from a variable"))
            #expect(lines.contains("BLOCK=from a block"))
            #expect(!output.contains { $0.contains("shouting") })
            try await server.call("DELETE", "/variables/name/\(name)")
            try await server.call("DELETE", "/block_documents/\(blockID)")
        }
    }

    @Test("a missing block or an invalid block reference crashes only its run, with the reference in the reason")
    func missingReference() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let script = try bench.script("note", "echo done >>'\(bench.directory)/runs'")
            let noBlock = try await server.createRun(
                deployment: bench.deploy(
                    command: script, jobVariables: ["env": ["A": "{{ prefect.blocks.secret.no-such-block }}"]]))
            let badPath = try await server.createRun(
                deployment: bench.deploy(command: script, jobVariables: ["env": ["A": "{{ prefect.blocks.secret }}"]]))
            let good = try await server.createRun(deployment: bench.deploy(command: script))
            try await bench.withWorker { _ in
                for (run, name) in [(noBlock, "no-such-block"), (badPath, "prefect.blocks.secret")] {
                    let crash = try await server.waitForRun(run, toBe: ["Crashed", "Completed"])
                    let message = crash["state"]?["message"]?.stringValue ?? ""
                    #expect(message.contains(name), "\(message)")
                    #expect(!message.contains("\n"))
                }
                try await bench.waitForNotes("runs")
            }
            #expect(bench.notes("runs") == ["done"])
            #expect(try await server.flowRun(good)["state_name"] != "Crashed")
        }
    }
}
