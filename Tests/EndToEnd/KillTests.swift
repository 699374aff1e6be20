import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("Killed workers and full disks", .requires(.prefectServer), .compiler, .bounded)
struct KillTests {
    /// The calls at which a worker is killed, each once before and once after the call. Together they separate every
    /// stage of a run from the next, and many steps within a stage. Rounds with two of these calls follow each other
    /// directly. One of the two calls is mostly outside the work on a run, or too many runs would be given up.
    private static let calls = ["spawn", "recv", "mkdir", "send", "pwrite", "rmdir"]

    /// The call at which the worker is killed, and a time. A worker that does not reach the call is killed after that
    /// time.
    private static func death(_ round: Int, _ random: inout FuzzRandom) -> (call: String?, after: Duration) {
        let limit = Duration.milliseconds(Int.random(in: 60...900, using: &random))
        guard round % 3 > 0 else { return (nil, limit) }
        // The number of earlier rounds with a call.
        let turn = round / 3 * 2 + round % 3 - 1
        let call = calls[turn % calls.count]
        let most = ["spawn": 2, "mkdir": 4, "rmdir": 3, "pwrite": 24, "send": 16, "recv": 32][call] ?? 1
        let number = Int.random(in: 1...most, using: &random)
        let when = turn / calls.count % 2 == 0 ? "before" : "after"
        return ("\(call):\(when):\(number)", .milliseconds(2000))
    }

    @Test("a worker with a full disk reports the failure and still executes the due runs", arguments: [1, 40])
    func fullDisk(from write: Int) async throws {
        try await withTestBench { bench in
            let shim = try await bench.compileShared("kill_at")
            let program = try bench.write("quick.py", FlowSource.quickRun)
            let deployment = try await bench.deploy(command: "python \(program) \(bench.directory)/runs 0")
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

    @Test("a run at whose start the worker has died twice is given up, and other runs complete")
    func poison() async throws {
        try await withTestBench { bench in
            let shim = try await bench.compileShared("kill_at")
            let program = try bench.write("quick.py", FlowSource.quickRun)
            let deployment = try await bench.deploy(command: "python \(program) \(bench.directory)/runs 0")
            let poison = try await bench.server.createRun(deployment: deployment)
            for _ in 0..<2 {
                // Without an interpreter to check, the first process that the worker starts is the run's.
                try await withChildProcess(
                    WorkerProgram.path, bench.arguments(["--python", "none"]),
                    environment: bench.environment(["LD_PRELOAD": shim, "KILL_AT": "spawn:before:1"]),
                    workingDirectory: bench.directory
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

    @Test("a worker that is killed repeatedly, at random times and at system calls, runs each run exactly once")
    func loop() async throws {
        try await withTestBench { bench in
            let seed = UInt64.random(in: 0...UInt64.max)
            var random = FuzzRandom(seed: seed)
            let shim = try await bench.compileShared("kill_at")
            let program = try bench.write("quick.py", FlowSource.quickRun)
            let deployment = try await bench.deploy(command: "python \(program) \(bench.directory)/runs 0.5")
            var runs: [String] = []
            var deathsAtBoundaries = 0
            let rounds = TestLength.isShort ? 60 : 200
            for round in 0..<rounds {
                // A new run in every second round gives each round some work.
                if round % 2 == 0 { runs.append(try await bench.server.createRun(deployment: deployment)) }
                let death = Self.death(round, &random)
                var variables = ["PREFECT_WORKER_QUERY_SECONDS": "0.2"]
                if let call = death.call {
                    variables["LD_PRELOAD"] = shim
                    variables["KILL_AT"] = call
                }
                try await withChildProcess(
                    WorkerProgram.path, bench.arguments(), environment: bench.environment(variables),
                    workingDirectory: bench.directory
                ) { worker in
                    // A slow worker gets more time to reach the call, as long as too few workers have reached theirs.
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
                    try await eventually(
                        within: .seconds(120), "all runs have ended and nothing remains", every: .seconds(1)
                    ) {
                        let isTold = try await bench.count(ofStates: ["SCHEDULED", "PENDING", "RUNNING"]) == 0
                        // The directory of a run may remain until the next start, if a worker was killed while it ended
                        // that run.
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
            // Two kills in a row within the few milliseconds of work on one run make the worker give that run up. Some
            // of the calls are in the middle of that work.
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
