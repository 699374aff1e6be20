import PrefectJSON
import TestSupport
import Testing

@Suite("Cancellation", .requires(.prefectServer), .bounded)
struct CancellationTests {
    @Test("a running flow is cancelled within seconds, its hook runs once, and all its processes end")
    func whileRunning() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let run = try await server.createRun(deployment: bench.deploy("linger"))
            try await bench.withWorker { worker in
                let process = try #require(Int32(try await bench.waitForNotes("pid")[0]))
                let grandchild = try #require(Int32(try await bench.waitForNotes("grandchild")[0]))
                #expect(ProcessTable.isAlive(process) && ProcessTable.isAlive(grandchild))
                let clock = ContinuousClock()
                let began = clock.now
                try await server.setState(of: run, to: "CANCELLING", name: "Cancelling")
                try await server.waitForRun(run, toBe: ["Cancelled"], within: .seconds(40))
                let took = clock.now - began
                // The worker needs up to ten seconds to notice the request. The flow's own shutdown and its hook may
                // take long on a busy machine.
                #expect(took < .seconds(100), "it took \(took)")
                try await eventually("the processes have ended") {
                    !ProcessTable.isAlive(process) && !ProcessTable.isAlive(grandchild)
                }
                #expect(worker.exitStatus == nil)
            }
            #expect(bench.notes("cancelled-hook").count == 1)
            #expect(bench.notes("crashed-hook") == [])
            #expect(try await server.stateHistory(of: run).suffix(2) == ["Cancelling", "Cancelled"])
            #expect(bench.survivors() == [])
        }
    }

    @Test("a run that ignores SIGTERM is killed after its grace period")
    func withoutHeed() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let script = try bench.script(
                "stubborn",
                "trap '' TERM; echo $$ >>'\(bench.directory)/pid'; while :; do sleep 1; done")
            let run = try await server.createRun(deployment: bench.deploy(command: script))
            try await bench.withWorker { _ in
                let process = try #require(Int32(try await bench.waitForNotes("pid")[0]))
                try await server.setState(of: run, to: "RUNNING", force: true)
                let clock = ContinuousClock()
                let began = clock.now
                try await server.setState(of: run, to: "CANCELLING", name: "Cancelling")
                try await server.waitForRun(run, toBe: ["Cancelled"], within: .seconds(60))
                let took = clock.now - began
                #expect(took >= .seconds(28), "it took \(took)")
                #expect(!ProcessTable.isAlive(process))
            }
            #expect(bench.survivors() == [])
        }
    }
}
