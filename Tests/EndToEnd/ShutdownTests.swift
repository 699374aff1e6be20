import JSON
import TestSupport
import Testing

@Suite("Ending a worker", .requires(.prefectServer), .bounded)
struct ShutdownTests {
    @Test("an idle worker leaves within two seconds of SIGTERM, with status 0")
    func idle() async throws {
        try await withTestBench { bench in
            try await bench.withWorker { worker in
                try await worker.waitForLine(containing: "started")
                let clock = ContinuousClock()
                let began = clock.now
                worker.send(.terminate)
                #expect(try await worker.waitForExit() == .exited(0))
                let took = clock.now - began
                #expect(took < .seconds(2), "it took \(took)")
            }
        }
    }

    @Test("SIGTERM ends the flow that runs, reports it, and leaves no process")
    func whileRunning() async throws {
        try await withTestBench { bench in
            let run = try await bench.server.createRun(deployment: bench.deploy("linger"))
            try await bench.withWorker { worker in
                try await bench.waitForNotes("grandchild")
                worker.send(.terminate)
                #expect(try await worker.waitForExit(timeout: .seconds(75)) == .exited(0))
            }
            // At once: the worker has left, so that nobody would say it later.
            let state = try await bench.server.flowRun(run)["state_name"]
            #expect(state == "Crashed")
            #expect(bench.notes("cancelled-hook") == [])
            #expect(bench.survivors() == [])
        }
    }

    @Test("the second SIGTERM takes the grace away from a run that does not heed the first")
    func twice() async throws {
        try await withTestBench { bench in
            let script = try bench.script(
                "stubborn", "trap '' TERM; echo $$ >>'\(bench.folder)/pid'; while :; do sleep 1; done")
            let run = try await bench.server.createRun(deployment: bench.deploy(command: script))
            try await bench.withWorker { worker in
                try await bench.waitForNotes("pid")
                worker.send(.terminate)
                try await worker.waitForLine(containing: "SIGTERM")
                #expect(worker.exitStatus == nil)
                worker.send(.terminate)
                #expect(try await worker.waitForExit(timeout: .seconds(30)) == .exited(0))
                let saidSo = worker.errors.contains { $0.contains("not everything could be told") }
                let state = try await bench.server.flowRun(run)["state_name"]
                // Without grace there is little time too for a server that is busy.
                #expect(state == "Crashed" || saidSo, "\(worker.summary)")
            }
            #expect(bench.survivors() == [])
        }
    }

    @Test("a worker that was started with SIGINT ignored, as a shell does in the background, heeds SIGTERM and SIGINT")
    func interruptIgnored() async throws {
        try await withTestBench { bench in
            for signal in [ChildProcess.Signal.terminate, .interrupt] {
                let command = "trap '' INT; exec \"$0\" \"$@\""
                try await withChildProcess(
                    "/bin/sh", ["-c", command, WorkerProgram.path] + bench.arguments(),
                    environment: bench.environment(), workingDirectory: bench.folder
                ) { worker in
                    try await worker.waitForLine(containing: "started")
                    worker.send(signal)
                    #expect(try await worker.waitForExit(timeout: .seconds(30)) == .exited(0))
                }
            }
        }
    }

    @Test("with --run-once a worker does what is due and leaves, also when nothing is")
    func runOnce() async throws {
        try await withTestBench { bench in
            let script = try bench.script("note", "echo done >>'\(bench.folder)/runs'")
            let deployment = try await bench.deploy(command: script)
            for due in [false, true] {
                if due { _ = try await bench.server.createRun(deployment: deployment) }
                let worker = try await WorkerProgram.run(
                    bench.arguments(["--run-once"]), environment: bench.environment(), in: bench.folder)
                #expect(worker.status == .exited(0), "\(worker.text)")
                #expect(bench.notes("runs") == (due ? ["done"] : []))
            }
        }
    }
}
