import FoundationEssentials
import JSON
import TestSupport
import Testing

@Suite("A worker that is killed", .requires(.prefectServer), .compiler, .bounded)
struct KillTests {
    /// The calls at which a worker is killed, each once before and once after it; together they part every stage of a run
    /// from the next, and much that is within one.
    private static let calls = ["spawn", "mkdir", "rmdir", "pwrite", "send", "recv"]

    /// At which call of a life the worker is killed, or after what time when it does not come to that.
    private static func death(_ round: Int, _ random: inout FuzzRandom) -> (call: String?, after: Duration) {
        let limit = Duration.milliseconds(Int.random(in: 60...900, using: &random))
        guard round % 3 > 0 else { return (nil, limit) }
        let call = calls[round % calls.count]
        let most = ["spawn": 2, "mkdir": 4, "rmdir": 3, "pwrite": 24, "send": 16, "recv": 32][call] ?? 1
        let number = Int.random(in: 1...most, using: &random)
        return ("\(call):\(round % 2 == 0 ? "before" : "after"):\(number)", .milliseconds(2000))
    }

    @Test("a worker whose disk is full says so and runs what is due all the same", arguments: [1, 40])
    func fullDisk(from write: Int) async throws {
        try await withTestBench { bench in
            let shim = try await bench.compileShared("kill_at")
            let program = try bench.write("quick.py", FlowSource.quickRun)
            let deployment = try await bench.deploy(command: "python \(program) \(bench.folder)/runs 0")
            for _ in 0..<5 { _ = try await bench.server.createRun(deployment: deployment) }
            let variables = ["LD_PRELOAD": shim, "KILL_AT": "pwrite:full:\(write)"]
            try await bench.withWorker(variables: variables) { worker in
                try await worker.waitForLine("a line about the ledger") {
                    $0.text.contains("ledger") && $0.text.contains("cannot be written") && $0.text.contains("full")
                }
                try await bench.waitForCompletedRuns(5)
                #expect(worker.errors.count { $0.contains("cannot be written") } == 1)
            }
            #expect(bench.notes("runs").count { $0.hasPrefix("begin ") } == 5)
            #expect(bench.survivors() == [])
        }
    }

    @Test("killed two hundred times at random and at every boundary, it runs each of a hundred runs exactly once")
    func loop() async throws {
        try await withTestBench { bench in
            let seed = UInt64.random(in: 0...UInt64.max)
            var random = FuzzRandom(seed: seed)
            let shim = try await bench.compileShared("kill_at")
            let program = try bench.write("quick.py", FlowSource.quickRun)
            let deployment = try await bench.deploy(command: "python \(program) \(bench.folder)/runs 0.5")
            var runs: [String] = []
            var deathsAtBoundaries = 0
            for round in 0..<200 {
                // One every other round, so that there is something to be done in each.
                if round % 2 == 0 { runs.append(try await bench.server.createRun(deployment: deployment)) }
                let death = Self.death(round, &random)
                var variables = ["PREFECT_WORKER_QUERY_SECONDS": "0.2"]
                if let call = death.call {
                    variables["LD_PRELOAD"] = shim
                    variables["KILL_AT"] = call
                }
                try await withChildProcess(
                    WorkerProgram.path, bench.arguments(), environment: bench.environment(variables),
                    workingDirectory: bench.folder
                ) { worker in
                    if (try? await worker.waitForExit(timeout: death.after)) == nil {
                        worker.send(.kill)
                    } else {
                        deathsAtBoundaries += 1
                    }
                    let status = try await worker.waitForExit(timeout: .seconds(10))
                    #expect(status == .signalled(9), "seed \(seed), round \(round): \(worker.summary)")
                }
            }
            #expect(deathsAtBoundaries > 30)
            try await bench.withWorker { worker in
                try await eventually(within: .seconds(120), "nothing is left to be done", every: .seconds(1)) {
                    let isTold = try await bench.count(ofStates: ["SCHEDULED", "PENDING", "RUNNING"]) == 0
                    let remains = try await bench.remains()
                    return isTold && remains == [] && bench.survivors() == [worker.processID]
                }
            }
            #expect(try await bench.count(ofStates: ["COMPLETED"]) == 100, "seed \(seed)")
            for run in runs where try await bench.server.flowRun(run)["state_type"] != "COMPLETED" {
                let history = try await bench.server.stateHistory(of: run)
                Issue.record("seed \(seed): \(run) ended as \(history)")
            }
            let begun = bench.notes("runs").filter { $0.hasPrefix("begin ") }.map { String($0.dropFirst(6)) }
            for run in runs where begun.filter({ $0 == run }).count != 1 {
                let history = try await bench.server.stateHistory(of: run)
                Issue.record("seed \(seed): \(run) ran \(begun.filter { $0 == run }.count) times: \(history)")
            }
            #expect(begun.count == 100)
            #expect(bench.survivors() == [])
        }
    }
}
