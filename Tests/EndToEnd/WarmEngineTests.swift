import Foundation
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@Suite("Flow runs as copies of a warm engine, from end to end", .requires(.prefectServer), .bounded)
struct WarmEngineTests {
    /// The flows of `behaviours.py`. The logs and the last output of a run that is killed may be incomplete.
    private static let flows: [(name: String, hasLogs: Bool)] = [
        ("completes", true), ("fails", true), ("exits", true), ("ends_at_once", false), ("is_killed", false),
        ("faults", false), ("is_terminated", false), ("parent", true), ("uses_threads", false),
        ("is_asynchronous", true), ("retries", true), ("takes_too_long", true), ("keeps_its_result", true),
        ("starts_processes", true), ("leaves_work", true), ("knows_its_run", true), ("uses_the_api", true),
        ("spoils_its_process", true), ("attributes", true), ("is_missing", true),
    ]

    @Test("a run behaves as a copy of a warm engine as it does with an interpreter of its own")
    func behaviours() async throws {
        try await withTestBench { bench in
            let source = try String(contentsOfFile: Resource.path("behaviours", "py"), encoding: .utf8)
            try bench.write("code/behaviours.py", source)
            let cold = try await observe(bench, "off")
            // The second time shows that no run has left anything.
            let warm = try await observe(bench, "on")
            #expect(cold.starts == nil)
            // On a machine that is very busy, a zygote may not answer in time. Then the next runs are cold.
            let number = warm.starts?["warm"]?.intValue ?? 0
            #expect(number * 4 >= Self.flows.count * 3, "\(warm.starts?.serialized() ?? "")")
            for (name, seen) in cold.runs {
                let differences = WorkspaceColumn.differences(seen, warm.runs[name] ?? .null)
                #expect(
                    differences.isEmpty, "\(name), cold here and warm there: \(differences.joined(separator: "; "))")
            }
        }
    }

    @Test("each of forty runs that come at once is run once, and most of them are warm")
    func burst() async throws {
        try await withTestBench { bench in
            let deployment = try await bench.deploy("succeed")
            try await withWarmWorker(bench, ["--limit", "8"]) { _, probe in
                var runs: Set<String> = []
                for number in 0..<40 {
                    runs.insert(
                        try await bench.server.createRun(
                            deployment: deployment, parameters: ["word": .string("word-\(number)")]))
                }
                try await bench.waitForCompletedRuns(40)
                let starts = try await probe.status()["backends"]?[0]?["engine_starts"]
                #expect((starts?["warm"]?.intValue ?? 0) >= 24, "\(starts?.serialized() ?? "")")
            }
            #expect(bench.notes("pid").count == 40 && Set(bench.notes("pid")).count == 40)
        }
    }

    @Test("a worker that is killed while it starts warm runs executes each of them exactly once")
    func killed() async throws {
        try await withTestBench { bench in
            let source = try String(contentsOfFile: Resource.path("behaviours", "py"), encoding: .utf8)
            try bench.write("code/behaviours.py", source)
            let deployment = try await bench.server.createDeployment(
                name: "killed", flow: bench.flow, pool: bench.pool, entrypoint: "behaviours.py:takes_a_moment",
                path: bench.directory + "/code", others: ["parameters": ["out": .string("\(bench.directory)/begun")]])
            let rounds = TestLength.isShort ? 5 : 60
            let seed = UInt64.random(in: 0...UInt64.max)
            var random = FuzzRandom(seed: seed)
            var runs: Set<String> = []
            for _ in 0..<rounds {
                let wait = Duration.milliseconds(random.below(900))
                try await withWarmWorker(bench, [], mayBeKilled: true) { worker, _ in
                    for _ in 0..<3 { runs.insert(try await bench.server.createRun(deployment: deployment)) }
                    _ = try? await worker.waitForExit(timeout: wait)
                    worker.send(.kill)
                    try await worker.waitForExit()
                    try await eventually(within: .seconds(10), "the zygote has ended with its worker") {
                        !bench.survivors().contains { ProcessTable.commandLine($0).contains("prefect_worker_zygote") }
                    }
                }
            }
            try await withWarmWorker(bench, []) { _, _ in
                try await eventually(within: .seconds(120), "all runs have ended", every: .milliseconds(300)) {
                    try await bench.count(ofStates: ["COMPLETED", "CRASHED"]) == runs.count
                }
            }
            let givenUp = try await bench.givenUp(runs)
            let begun = try bench.notes("begun").compactMap { try JSONValue(parsing: $0)["run"]?.stringValue }
            #expect(begun.count == Set(begun).count, "seed \(seed): \(begun.sorted())")
            for run in runs.subtracting(begun).subtracting(givenUp) {
                let state = try await bench.server.flowRun(run)["state"]?["message"]?.stringValue ?? ""
                // A server on SQLite that is busy may refuse a request of the engine, which then ends by itself.
                if state.contains("exited with non-zero status code 1.") { continue }
                Issue.record("seed \(seed): the flow of run \(run) has not begun: \(state)")
            }
            #expect(givenUp.count < runs.count / 2)
            #expect(bench.survivors() == [])
        }
    }

    // MARK: Parts

    private func observe(
        _ bench: TestBench, _ mode: String
    ) async throws -> (runs: OrderedDictionary<String, JSONValue>, starts: JSONValue?) {
        var runs: [(name: String, hasLogs: Bool, id: String)] = []
        var deployments: [String] = []
        for (name, _) in Self.flows {
            deployments.append(
                try await bench.server.createDeployment(
                    name: "\(mode)-\(name)", flow: bench.flow, pool: bench.pool, entrypoint: "behaviours.py:\(name)",
                    path: bench.directory + "/code",
                    jobVariables: ["env": ["SECRET_OF_RUN": .string("of-\(name)")]],
                    others: ["parameters": ["out": .string("\(bench.directory)/\(mode)-\(name)")]]))
        }
        var starts: JSONValue?
        try await withWarmWorker(bench, ["--limit", "3", "--warm-engines", mode]) { _, probe in
            for (flow, deployment) in zip(Self.flows, deployments) {
                runs.append((flow.name, flow.hasLogs, try await bench.server.createRun(deployment: deployment)))
            }
            for index in runs.indices {
                runs[index].id = try await end(of: runs[index].id, "\(mode)-\(runs[index].name)", bench) {
                    try await bench.server.createRun(deployment: deployments[index])
                }
            }
            try await eventually(within: .seconds(60), "the worker has released all runs") {
                let status = try await probe.status()
                return status["pools"]?[0]?["runs"]?.objectValue?.values.allSatisfy { $0 == 0 } == true
            }
            starts = try await probe.status()["backends"]?[0]?["engine_starts"]
        }
        var observed: OrderedDictionary<String, JSONValue> = [:]
        for run in runs { observed[run.name] = try await observation(bench, mode, run.name, run.id, run.hasLogs) }
        return (observed, starts)
    }

    /// Waits for the end of a run, and returns its id. A run that a busy server has ended is replaced, with its notes.
    private func end(
        of run: String, _ notes: String, _ bench: TestBench, isolation: isolated (any Actor)? = #isolation,
        _ repeated: () async throws -> String
    ) async throws -> String {
        var run = run
        for attempt in 1...4 {
            let ended = try await bench.server.waitForRun(
                run, toBe: ["Completed", "Failed", "Crashed", "TimedOut"], within: .seconds(300))
            let message = ended["state"]?["message"]?.stringValue ?? ""
            guard message.contains("503 Service Unavailable"), attempt < 4 else { break }
            try? FileManager.default.removeItem(atPath: "\(bench.directory)/\(notes)")
            run = try await repeated()
        }
        return run
    }

    private func observation(
        _ bench: TestBench, _ mode: String, _ name: String, _ run: String, _ hasLogs: Bool
    ) async throws -> JSONValue {
        let state = try await bench.server.flowRun(run)["state"]
        var message = state?["message"] ?? .null
        if !hasLogs, let text = message.stringValue, let output = text.range(of: " Last output: ") {
            message = .string(String(text[..<output.lowerBound]))
        }
        let history = try await bench.server.stateHistory(of: run).filter { $0 != "Late" }
        var seen: JSONValue = [
            "type": state?["type"] ?? .null, "name": state?["name"] ?? .null, "message": message,
            "history": .array(history.map(JSONValue.string)),
            "notes": .array(try bench.notes("\(mode)-\(name)").map { try JSONValue(parsing: $0) }),
        ]
        if hasLogs {
            let logs = try await bench.server.logs(of: run).filter { line in
                // The worker's own lines have pids, and lines with the names of runs come in any order.
                !line.contains("submitt") && !line.contains("rocess") && !line.contains("View at")
            }
            seen["logs"] = .array(logs.sorted().map(JSONValue.string))
        }
        let names = [
            ("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>"), ("'[a-z]+-[a-z]+'", "<name>"),
            ("[a-z]+-[a-z]+' for flow", "<name>"), ("0x[0-9a-f]+", "<address>"), ("task run '[^']*'", "<task>"),
            ("\(WorkspaceColumn.pattern(of: bench.directory))/[^ ]*", "<path>"), ("[0-9:.]{12} \\|", "<time> |"),
            ("__prefect_loader_[0-9a-f]+__", "<loaded>"),
        ]
        return seen.mapStrings { text in
            names.reduce(text) { $0.replacingOccurrences(of: $1.0, with: $1.1, options: .regularExpression) }
        }
    }

    /// Runs a worker while `body` runs, which begins when the worker has a zygote, if it keeps one.
    private func withWarmWorker(
        _ bench: TestBench, _ arguments: [String], mayBeKilled: Bool = false,
        isolation: isolated (any Actor)? = #isolation, _ body: (ChildProcess, Probe) async throws -> Void
    ) async throws {
        let mode = arguments.contains("--warm-engines") ? [] : ["--warm-engines", "on"]
        let variables = Probe.anyPort.merging(["PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS": "60"]) { $1 }
        let all = arguments + mode + ["--with-healthcheck"]
        func use(_ worker: ChildProcess) async throws {
            let probe = try await Probe(worker)
            if !arguments.contains("off") {
                try await eventually(within: .seconds(60), "a zygote is ready", every: .milliseconds(200)) {
                    try await probe.status()["backends"]?[0]?["engine_starts"]?["zygotes"]?.intValue ?? 0 > 0
                }
            }
            try await body(worker, probe)
        }
        guard mayBeKilled else { return try await bench.withWorker(all, variables: variables) { try await use($0) } }
        try await withChildProcess(
            WorkerProgram.path, bench.arguments(all), environment: bench.environment(variables),
            workingDirectory: bench.directory
        ) { try await use($0) }
    }
}
