import FoundationEssentials
import JSON
import TestSupport
import Testing

@Suite("A worker that is killed", .requires(.prefectServer), .compiler, .bounded)
struct KillTests {
    /// The calls at which a worker is killed, each once before and once after it; together they part every stage of a run
    /// from the next, and much that is within one. Rounds of two calls follow each other directly: one of the two is mostly
    /// outside of the work on a run, or too many runs would be given up.
    private static let calls = ["spawn", "recv", "mkdir", "send", "pwrite", "rmdir"]

    /// At which call of a life the worker is killed, or after what time when it does not come to that.
    private static func death(_ round: Int, _ random: inout FuzzRandom) -> (call: String?, after: Duration) {
        let limit = Duration.milliseconds(Int.random(in: 60...900, using: &random))
        guard round % 3 > 0 else { return (nil, limit) }
        // The number of the rounds before this one that were of a call.
        let turn = round / 3 * 2 + round % 3 - 1
        let call = calls[turn % calls.count]
        let most = ["spawn": 2, "mkdir": 4, "rmdir": 3, "pwrite": 24, "send": 16, "recv": 32][call] ?? 1
        let number = Int.random(in: 1...most, using: &random)
        let when = turn / calls.count % 2 == 0 ? "before" : "after"
        return ("\(call):\(when):\(number)", .milliseconds(2000))
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

    @Test("a run of which the worker dies twice is not tried a third time, and the others run")
    func poison() async throws {
        try await withTestBench { bench in
            let shim = try await bench.compileShared("kill_at")
            let program = try bench.write("quick.py", FlowSource.quickRun)
            let deployment = try await bench.deploy(command: "python \(program) \(bench.folder)/runs 0")
            let poison = try await bench.server.createRun(deployment: deployment)
            for _ in 0..<2 {
                // Without an interpreter to check, the first process that the worker starts is the run's.
                try await withChildProcess(
                    WorkerProgram.path, bench.arguments(["--python", "none"]),
                    environment: bench.environment(["LD_PRELOAD": shim, "KILL_AT": "spawn:before:1"]),
                    workingDirectory: bench.folder
                ) { worker in
                    let status = try await worker.waitForExit(timeout: .seconds(60))
                    #expect(status == .signalled(9), "\(worker.summary)")
                }
            }
            let innocent = try await bench.server.createRun(deployment: deployment)
            try await bench.withWorker(["--python", "none"]) { _ in
                let crash = try await bench.server.waitForRun(poison, toBe: ["Crashed"], within: .seconds(60))
                #expect(crash["state"]?["message"]?.stringValue?.contains("died twice while it was") == true)
                try await bench.server.waitForRun(innocent, toBe: ["Completed"], within: .seconds(60))
            }
            #expect(bench.notes("runs").filter { $0.hasPrefix("begin ") } == ["begin \(innocent)"])
            #expect(bench.survivors() == [])
        }
    }

    @Test("killed again and again at random and at every boundary, it runs each run exactly once")
    func loop() async throws {
        try await withTestBench { bench in
            let seed = UInt64.random(in: 0...UInt64.max)
            var random = FuzzRandom(seed: seed)
            let shim = try await bench.compileShared("kill_at")
            let program = try bench.write("quick.py", FlowSource.quickRun)
            let deployment = try await bench.deploy(command: "python \(program) \(bench.folder)/runs 0.5")
            var runs: [String] = []
            var deathsAtBoundaries = 0
            let rounds = ProcessInfo.processInfo.environment["CI"] == "true" ? 60 : 200
            for round in 0..<rounds {
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
                    // A slow worker gets more time to come to the call, while too few have come to theirs.
                    let isBehind = death.call != nil && deathsAtBoundaries * 6 <= round
                    let patience = isBehind ? Duration.seconds(9) : death.after
                    if (try? await worker.waitForExit(timeout: patience)) == nil {
                        worker.send(.kill)
                    } else {
                        deathsAtBoundaries += 1
                    }
                    let status = try await worker.waitForExit(timeout: .seconds(10))
                    #expect(status == .signalled(9), "seed \(seed), round \(round): \(worker.summary)")
                }
            }
            #expect(deathsAtBoundaries > rounds / 7)
            try await bench.withWorker { worker in
                do {
                    try await eventually(within: .seconds(120), "nothing is left to be done", every: .seconds(1)) {
                        let isTold = try await bench.count(ofStates: ["SCHEDULED", "PENDING", "RUNNING"]) == 0
                        // A directory may stay until the next start where a worker was killed while it ended a run.
                        let givenUp = try await bench.givenUp(runs)
                        let remains = try await bench.remains().filter { name in
                            !givenUp.contains { name.hasPrefix("prefect-run-\($0)") }
                        }
                        return isTold && remains == [] && bench.survivors() == [worker.processID]
                    }
                } catch {
                    let detail = "left: \(try await bench.unfinished()); \(try await bench.remains())"
                    throw Explained(error: error, detail: detail)
                }
            }
            // A kill that hits the few milliseconds of work on one run twice in a row makes that run one to be given up. Some
            // of the calls are in the midst of that work.
            let givenUp = try await bench.givenUp(runs)
            #expect(givenUp.count <= runs.count / 3, "seed \(seed)")
            runs.removeAll { givenUp.contains($0) }
            #expect(try await bench.count(ofStates: ["COMPLETED"]) == runs.count, "seed \(seed)")
            for run in runs where try await bench.server.flowRun(run)["state_type"] != "COMPLETED" {
                let history = try await bench.server.stateHistory(of: run)
                Issue.record("seed \(seed): \(run) ended as \(history)")
            }
            let begun = bench.notes("runs").filter { $0.hasPrefix("begin ") }.map { String($0.dropFirst(6)) }
            for run in runs where begun.filter({ $0 == run }).count != 1 {
                let history = try await bench.server.stateHistory(of: run)
                Issue.record("seed \(seed): \(run) ran \(begun.filter { $0 == run }.count) times: \(history)")
            }
            #expect(Set(begun).subtracting(givenUp) == Set(runs))
            #expect(bench.survivors() == [])
        }
    }
}
