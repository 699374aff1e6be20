import PrefectJSON
import TestSupport
import Testing

@Suite("Pools and queues", .requires(.prefectServer), .bounded)
struct PoolTests {
    @Test("two workers on one pool run each of forty runs exactly once")
    func twoWorkers() async throws {
        try await withTestBench { bench in
            let program = try bench.write("quick.py", FlowSource.quickRun)
            let deployment = try await bench.deploy(command: "python \(program) \(bench.directory)/runs 0")
            var runs: Set<String> = []
            for _ in 0..<40 { runs.insert(try await bench.server.createRun(deployment: deployment)) }
            try await bench.withWorker(name: "one", ["--limit", "8"]) { _ in
                try await bench.withWorker(name: "two", ["--limit", "8"]) { _ in
                    try await bench.waitForCompletedRuns(40)
                }
            }
            let begun = bench.notes("runs").filter { $0.hasPrefix("begin ") }.map { String($0.dropFirst(6)) }
            // Reports the states of a run that was executed more than once, or not at all.
            for run in runs where begun.filter({ $0 == run }).count != 1 {
                let history = try await bench.server.stateHistory(of: run)
                Issue.record("run \(run) was executed \(begun.filter { $0 == run }.count) times: \(history)")
            }
            #expect(begun.count == 40)
            #expect(Set(begun) == runs)
            for run in runs {
                #expect(try await bench.server.flowRun(run)["state_name"] == "Completed")
            }
        }
    }

    @Test("one worker serves all pools of a configuration with their settings, and recovers their runs after a kill")
    func severalPools() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let others = [bench.pool + "-b", bench.pool + "-c"]
            let program = try bench.write("quick.py", FlowSource.quickRun)
            let configuration = try bench.write(
                "worker.toml",
                """
                limit = 3
                [pools.\(bench.pool)]
                name = "first"
                [pools.\(others[0])]
                type = "process"
                limit = 1
                queues = ["express"]
                name = "second"
                [pools.\(others[1])]
                """)
            func command(_ end: String) -> String { "python \(program) \(bench.directory)/runs \(end)" }
            func start(_ body: (ChildProcess) async throws -> Void) async throws {
                try await withChildProcess(
                    WorkerProgram.path,
                    ["start", "--config", configuration, "--name", "third"],
                    environment: bench.environment(), workingDirectory: bench.directory, body)
            }
            try await start { worker in
                try await eventually("the queue exists") {
                    try await server.send("GET", "/work_pools/\(others[0])/queues/express").status == 200
                }
                try await eventually("the third pool exists") {
                    try await server.send("GET", "/work_pools/\(others[1])").status == 200
                }
                let deployments = try await [
                    bench.deploy(command: command("\(bench.directory)/end")),
                    bench.deploy(command: command("\(bench.directory)/end"), queue: "express", pool: others[0]),
                    bench.deploy(command: command("\(bench.directory)/end"), pool: others[1]),
                ]
                for deployment in deployments { _ = try await server.createRun(deployment: deployment) }
                try await eventually(within: .seconds(60), "a run of each pool has begun") {
                    bench.notes("runs").count == 3
                }
                // One more run of each deployment must wait for a slot.
                for deployment in deployments { _ = try await server.createRun(deployment: deployment) }
                let rows = try await WorkerProgram.run(
                    ["runs", "--json"], environment: bench.environment(), in: bench.directory
                ).output
                for pool in [bench.pool] + others { #expect(rows.contains { $0.contains("\"\(pool)\"") }) }
                worker.send(.kill)
                #expect(try await worker.waitForExit() == .signalled(9))
            }
            #expect(bench.notes("runs").count == 3)
            try bench.write("end", "")
            let filter: JSONValue = ["flows": ["id": ["any_": [.string(bench.flow)]]]]
            func runs() async throws -> [JSONValue] {
                try await server.call("POST", "/flow_runs/filter", filter).arrayValue ?? []
            }
            try await start { worker in
                try await bench.waitForCompletedRuns(6)
                // A worker that exits has only a short time for its last reports.
                try await eventually(
                    within: .seconds(60), "all runs have the label of their worker", every: .milliseconds(200)
                ) {
                    try await runs().allSatisfy { $0["labels"]?["prefect.worker.name"]?.stringValue != nil }
                }
                worker.send(.terminate)
                #expect(try await worker.waitForExit() == .exited(0))
            }
            let names = try await runs().map { run in
                let pool = run["work_pool_name"]?.stringValue ?? "none"
                return "\(pool): \(run["labels"]?["prefect.worker.name"]?.stringValue ?? "nobody")"
            }
            #expect(Set(names) == ["\(bench.pool): first", "\(others[0]): second", "\(others[1]): third"])
            for pool in others { _ = try await server.deletePool(pool) }
        }
    }

    @Test("with --limit 1 no two runs are in flight at once")
    func limitOne() async throws {
        try await withTestBench { bench in
            let program = try bench.write("quick.py", FlowSource.quickRun)
            let deployment = try await bench.deploy(command: "python \(program) \(bench.directory)/runs 0.2")
            for _ in 0..<5 { _ = try await bench.server.createRun(deployment: deployment) }
            try await bench.withWorker(["--limit", "1"]) { _ in
                try await bench.waitForCompletedRuns(5)
            }
            let words = bench.notes("runs").map { $0.split(separator: " ").map(String.init) }
            #expect(words.map { $0[0] } == Array(repeating: ["begin", "end"], count: 5).flatMap { $0 })
            #expect(Set(words.map { $0[1] }).count == 5)
        }
    }

    @Test("a missing queue is created and served, and no other queue is served")
    func newQueue() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let script = try bench.script("note", "echo \"$PREFECT__FLOW_RUN_ID\" >>'\(bench.directory)/runs'")
            let elsewhere = try await server.createRun(deployment: bench.deploy(command: script))
            try await bench.withWorker(["--work-queue", "brand-new"]) { _ in
                try await eventually("the queue exists") {
                    try await server.send("GET", "/work_pools/\(bench.pool)/queues/brand-new").status == 200
                }
                let run = try await server.createRun(
                    deployment: bench.deploy(command: script, queue: "brand-new"))
                #expect(try await bench.waitForNotes("runs") == [run])
            }
            // The type is compared, because the server gives a run that has waited for long the name Late.
            #expect(try await server.flowRun(elsewhere)["state_type"] == "SCHEDULED")
        }
    }

    @Test("a missing pool is created with the template of a file, and served")
    func newPool() async throws {
        try await withTestBench(createsPool: false) { bench in
            let server = bench.server
            var template = try Resource.json("process_template")
            template["job_configuration"]?["env"] = ["FROM_TEMPLATE": "yes"]
            let file = try bench.write("template.json", template.serialized(.pretty))
            let script = try bench.script("note", "echo \"$FROM_TEMPLATE\" >>'\(bench.directory)/runs'")
            try await bench.withWorker(["--base-job-template", file]) { _ in
                try await eventually("the pool exists") {
                    try await server.send("GET", "/work_pools/\(bench.pool)").status == 200
                }
                let pool = try await server.pool(bench.pool)
                #expect(pool["type"] == "process")
                #expect(pool["base_job_template"]?.isEquivalent(to: template) == true)
                _ = try await server.createRun(deployment: bench.deploy(command: script))
                #expect(try await bench.waitForNotes("runs") == ["yes"])
            }
        }
    }

    @Test("with --no-create-pool-if-not-found a missing pool is reported, and served as soon as it exists")
    func noNewPool() async throws {
        try await withTestBench(createsPool: false) { bench in
            let script = try bench.script("note", "echo done >>'\(bench.directory)/runs'")
            try await bench.withWorker(
                ["--no-create-pool-if-not-found"], variables: ["PREFECT_WORKER_HEARTBEAT_SECONDS": "1"]
            ) { worker in
                try await worker.waitForLine("a line about the missing pool") {
                    $0.text.contains("'\(bench.pool)'") && $0.text.contains("not")
                }
                #expect(try await bench.server.send("GET", "/work_pools/\(bench.pool)").status == 404)
                try await bench.server.createPool(name: bench.pool)
                _ = try await bench.server.createRun(deployment: bench.deploy(command: script))
                try await bench.waitForNotes("runs", within: .seconds(90))
            }
            #expect(bench.notes("runs") == ["done"])
        }
    }

    @Test("a worker gets no run from a paused pool until the pool is resumed")
    func pausedPool() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let script = try bench.script("note", "echo done >>'\(bench.directory)/runs'")
            let run = try await server.createRun(deployment: bench.deploy(command: script))
            try await server.call("PATCH", "/work_pools/\(bench.pool)", ["is_paused": true])
            try await withFaultProxy(to: server.url) { proxy in
                try await bench.withWorker(variables: ["PREFECT_API_URL": proxy.url]) { _ in
                    try await eventually(within: .seconds(90), "the pool is polled three times") {
                        proxy.requests.filter { $0.path.hasSuffix("/get_scheduled_flow_runs") }.count >= 3
                    }
                    // The type is compared, because the server gives a run that has waited for long the name Late.
                    #expect(try await server.flowRun(run)["state_type"] == "SCHEDULED")
                    try await server.call("PATCH", "/work_pools/\(bench.pool)", ["is_paused": false])
                    try await bench.waitForNotes("runs")
                }
            }
            #expect(bench.notes("runs") == ["done"])
        }
    }
}
