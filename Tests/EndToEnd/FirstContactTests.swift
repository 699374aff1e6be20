import Foundation
import PrefectJSON
import TestSupport
import Testing

@Suite("First steps with a worker", .requires(.prefectServer), .bounded)
struct FirstContactTests {
    private func run(_ arguments: [String], _ bench: TestBench) async throws -> WorkerProgram.Outcome {
        try await WorkerProgram.run(arguments, environment: bench.environment(), in: bench.directory)
    }

    /// The names of a pool's workers on the server.
    private func workers(_ bench: TestBench) async throws -> Set<String> {
        let rows = try await bench.server.call("POST", "/work_pools/\(bench.pool)/workers/filter", [:])
        return Set((rows.arrayValue ?? []).compactMap { $0["name"]?.stringValue })
    }

    /// The name that a worker without `--name` starts with.
    private func startedName(_ bench: TestBench, _ variables: [String: String] = [:]) async throws -> String {
        let outcome = try await WorkerProgram.run(
            ["start", "--pool", bench.pool, "--run-once"], environment: bench.environment(variables),
            in: bench.directory)
        #expect(outcome.status == .exited(0), "\(outcome.text)")
        let name = try #require(outcome.text.firstMatch(of: /Worker '(.*)' started!/), "\(outcome.text)")
        return String(name.1)
    }

    @Test("a flow completes when its code's directory contains the worker's own directories")
    func codeAroundTheWorker() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let others: JSONValue = ["parameters": ["notes": .string(bench.directory), "word": "around"]]
            let deployment = try await server.createDeployment(
                name: "around", flow: bench.flow, pool: bench.pool, entrypoint: "code/flows.py:succeed",
                path: bench.directory, jobVariables: [:], others: others)
            let runs = [
                try await server.createRun(deployment: deployment), try await server.createRun(deployment: deployment),
            ]
            try await bench.withWorker { _ in
                for run in runs { try await server.waitForRun(run, toBe: ["Completed"]) }
            }
        }
    }

    @Test("a worker without a name keeps its generated name, or uses the name of its pod")
    func keptName() async throws {
        try await withTestBench { bench in
            let made = try await startedName(bench)
            #expect(made.hasPrefix("ProcessWorker "))
            #expect(try await startedName(bench) == made)
            let pod = ["KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "worker-5d9-x2"]
            #expect(try await startedName(bench, pod) == "worker-5d9-x2")
            // A busy server may refuse the one heartbeat of a worker that polls once. A worker that continues sends
            // more.
            try await withChildProcess(
                WorkerProgram.path, ["start", "--pool", bench.pool], environment: bench.environment(),
                workingDirectory: bench.directory
            ) { _ in
                try await eventually(within: .seconds(90), "the API has the worker's name", every: .milliseconds(200)) {
                    try await workers(bench).contains(made)
                }
            }
            #expect(try await workers(bench).isSubset(of: [made, "worker-5d9-x2"]))
        }
    }

    @Test("--unit-instance is a pool's name in which only hexadecimal escapes are replaced")
    func unitInstance() async throws {
        try await withTestBench(createsPool: false) { bench in
            for (instance, pool) in [
                ("\(bench.pool)-my-pool", "\(bench.pool)-my-pool"),
                (#"\#(bench.pool)\x20b\xc3\xa4\x2dr"#, "\(bench.pool) bä-r"),
            ] {
                let outcome = try await run(["start", "--unit-instance", instance, "--run-once"], bench)
                #expect(outcome.status == .exited(0), "\(outcome.text)")
                let escaped = try #require(pool.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
                let found = try await bench.server.call("GET", "/work_pools/\(escaped)")
                #expect(found["name"]?.stringValue == pool)
                try await bench.server.call("DELETE", "/work_pools/\(escaped)")
            }
        }
    }

    @Test(
        "check names a program that is not Python, reports unchecked pools, and accepts a pool to be created")
    func check() async throws {
        try await withTestBench { bench in
            let noPython = try await run(["check", "--python", "/bin/true"], bench)
            #expect(noPython.status == .exited(1))
            #expect(
                noPython.output.contains {
                    $0.hasPrefix("WRONG") && $0.contains("/bin/true is not a Python interpreter")
                })
            #expect(noPython.output.contains { $0.hasPrefix("ok") && $0.contains("none was checked") })
            let fresh = try await run(["check", "--pool", "\(bench.pool)-new", "--work-queue", "q"], bench)
            #expect(fresh.status == .exited(0), "\(fresh.text)")
            #expect(fresh.output.filter { $0.contains("will be created by 'start'") }.count == 2, "\(fresh.text)")
        }
    }

    @Test("check and start report a server other than Prefect's in one line with the remedy")
    func otherServer() async throws {
        try await withTestBench { bench in
            let root = String(bench.server.url.dropLast("/api".count))
            for (url, says) in [(root, "a web page, not Prefect's"), (root + "/api/v9", "has no such route")] {
                let environment = bench.environment(["PREFECT_API_URL": url])
                let check = try await WorkerProgram.run(
                    ["check", "--pool", bench.pool], environment: environment, in: bench.directory)
                #expect(check.status == .exited(1), "\(check.text)")
                #expect(check.output.contains { $0.hasPrefix("WRONG") && $0.contains(says) }, "\(check.text)")
                let start = try await WorkerProgram.run(
                    ["start", "--pool", bench.pool, "--run-once"], environment: environment, in: bench.directory)
                #expect(start.status == .exited(1), "\(start.text)")
                #expect(start.errors.last?.contains(says) == true, "\(start.text)")
                #expect(start.errors.last?.contains("PREFECT_API_URL must be") == true, "\(start.text)")
            }
        }
    }

    @Test("a worker does not create a pool that it cannot serve")
    func notCreated() async throws {
        try await withTestBench(createsPool: false) { bench in
            let outcome = try await run(
                ["start", "--pool", bench.pool, "--type", "process", "--python", "/no/such/python"], bench)
            #expect(outcome.status == .exited(1), "\(outcome.text)")
            #expect(outcome.errors.last?.contains("/no/such/python") == true, "\(outcome.text)")
            #expect(!outcome.text.contains("started!"))
            let pools = try await bench.server.call(
                "POST", "/work_pools/filter", ["work_pools": ["name": ["any_": [.string(bench.pool)]]]])
            #expect(pools == [])
        }
    }

    @Test("SIGHUP reloads the configuration: pools are added, changed and removed, and an invalid file changes nothing")
    func reloadedPools() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let (first, second) = (bench.pool, "\(bench.pool)-second")
            let script = try bench.script(
                "note",
                "echo ran >>'\(bench.directory)/'$1; while [ -e '\(bench.directory)/'hold-$1 ]; do sleep 0.1; done")
            func file(_ text: String) throws { try bench.write("pools.toml", text) }
            try await server.createPool(name: second)
            defer { try? FileManager.default.removeItem(atPath: bench.directory + "/hold-b") }
            try bench.write("hold-b", "")
            try file("[pools.\(first)]\nname = \"one\"\n")
            try await withChildProcess(
                WorkerProgram.path, ["start", "--config", "pools.toml"], environment: bench.environment(),
                workingDirectory: bench.directory
            ) { worker in
                try await worker.waitForLine(containing: "Worker 'one' started!")
                try file("[pools.\(first)]\nname = \"one\"\n[pools.\(second)]\nname = \"two\"\n")
                worker.send(.hangup)
                try await worker.waitForLine(containing: "Worker 'two' started!")
                let held = try await server.createRun(deployment: bench.deploy(command: "\(script) b", pool: second))
                try await bench.waitForNotes("b")
                try file("[pools.\(first)]\nname = \"other\"\nlimit = \"many\"\n")
                worker.send(.hangup)
                try await worker.waitForLine(containing: "the pools stay as they were")
                try file("[pools.\(first)]\nname = \"other\"\nqueues = [\"fast\"]\n")
                worker.send(.hangup)
                try await worker.waitForLine(containing: "changes with a restart only")
                try await worker.waitForLine(containing: "work pool '\(second)' is no longer served")
                try await eventually(within: .seconds(60), "the queue is created") {
                    let queues = try await server.call("POST", "/work_pools/\(first)/queues/filter", [:])
                    return (queues.arrayValue ?? []).contains { $0["name"] == "fast" }
                }
                _ = try await server.createRun(
                    deployment: bench.deploy(command: "\(script) a", queue: "fast", pool: first))
                try await bench.waitForNotes("a")
                // The run of the removed pool is watched to its end.
                #expect(try await server.flowRun(held)["state_type"] == "PENDING")
                try FileManager.default.removeItem(atPath: bench.directory + "/hold-b")
                try await worker.waitForLine(containing: "Worker 'two' stopped!")
                worker.send(.terminate)
                #expect(try await worker.waitForExit(timeout: .seconds(60)) == .exited(0))
            }
            try await server.call("DELETE", "/work_pools/\(second)")
        }
    }

    @Test("the README's commands work as written, with a pool `my-pool` and an API that requires a key")
    func readme() async throws {
        let key = "pnu_0123456789abcdef"
        var configuration = FakeAPIConfiguration()
        configuration.authorization = "Bearer \(key)"
        try await withFakePrefectAPI(configuration: configuration) { api in
            try await withTemporaryDirectory { directory in
                let pool = api.addPool(name: "my-pool")
                api.addDeployment(name: "my-deployment", flow: api.addFlow(name: "my-flow"), pool: pool)
                let objects: JSONValue = [
                    "work_pool": [
                        "id": "0d9c62ce-5b1c-4a6e-8f4e-0d9c62ce5b1d", "name": "my-pool", "type": "process",
                        "base_job_template": FakePrefectAPI.processTemplate,
                    ],
                    "flow_run": ["id": "0d9c62ce-5b1c-4a6e-8f4e-0d9c62ce5b1c", "name": "able-owl", "flow_id": "f"],
                ]
                try TestFile.write(objects.serialized(), to: "\(directory)/objects.json")
                let programs = WorkerProgram.path.split(separator: "/").dropLast().joined(separator: "/")
                var environment = WorkerProgram.environment(
                    home: directory, ["PREFECT_API_URL": api.url, "PREFECT_API_KEY": key])
                environment["PATH"] = "/\(programs):" + (environment["PATH"] ?? "")
                let variables = environment
                let lines = try Documentation.block(after: "## Use", in: "README.md")
                let start = try #require(lines.first { $0.contains(" start ") })
                #expect(lines.count == 10)
                try await withChildProcess(
                    "/bin/sh", ["-c", "exec \(start)"], environment: variables, workingDirectory: directory
                ) { worker in
                    try await worker.waitForLine(containing: "started!")
                    for line in lines where line != start {
                        try await withChildProcess(
                            "/bin/sh", ["-c", line], environment: variables, workingDirectory: directory
                        ) { command in
                            let status = try await command.waitForExit(timeout: .seconds(60))
                            #expect(status == .exited(0) && !command.output.isEmpty, "\(line): \(command.summary)")
                            #expect(!command.output.contains { $0.hasPrefix("WRONG") }, "\(command.summary)")
                        }
                    }
                    worker.send(.terminate)
                    #expect(try await worker.waitForExit(timeout: .seconds(60)) == .exited(0))
                    #expect(!(worker.output + worker.errors).contains { $0.contains(key) })
                }
            }
        }
    }
}
