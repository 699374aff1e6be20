import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("Shutdown of a worker", .requires(.prefectServer), .bounded)
struct ShutdownTests {
    @Test("an idle worker exits within a second of SIGTERM, with status 0")
    func idle() async throws {
        try await withTestBench { bench in
            try await onceOfThree {
                try await bench.withWorker { worker in
                    try await worker.waitForLine(containing: "started")
                    let began = ContinuousClock.now
                    worker.send(.terminate)
                    #expect(try await worker.waitForExit() == .exited(0))
                    let took = ContinuousClock.now - began
                    guard took < .seconds(1) else { throw TooSlow(detail: "\(took)") }
                }
            }
        }
    }

    @Test("SIGTERM ends the running flow, reports the crash, and no process remains")
    func whileRunning() async throws {
        try await withTestBench { bench in
            let run = try await bench.server.createRun(deployment: bench.deploy("linger"))
            let lines = try await bench.withWorker { worker in
                try await bench.waitForNotes("grandchild")
                worker.send(.terminate)
                #expect(try await worker.waitForExit(timeout: .seconds(75)) == .exited(0))
                return worker.errors
            }
            // The run is Crashed as soon as the worker has exited. A busy server may take longer than the worker's last
            // reports may; then the next worker reports the crash.
            if try await bench.server.flowRun(run)["state_name"] != "Crashed" {
                #expect(lines.contains { $0.contains("recovered at the next start of this worker") }, "\(lines)")
                try await bench.withWorker { _ in try await bench.server.waitForRun(run, toBe: ["Crashed"]) }
            }
            #expect(bench.notes("cancelled-hook") == [])
            #expect(bench.survivors() == [])
        }
    }

    /// A drain without a time limit.
    private static let draining = ["PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS": ""]

    @Test("after the first SIGTERM the run in flight ends by itself, probes report the drain, and no run is claimed")
    func drain() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let program = try bench.write("quick.py", FlowSource.quickRun)
            let (runs, go) = ("\(bench.directory)/runs", "\(bench.directory)/go")
            let deployment = try await bench.deploy(command: "python \(program) \(runs) \(go)")
            let run = try await server.createRun(deployment: deployment)
            try await bench.withWorker(["--with-healthcheck"], variables: Self.draining.merging(Probe.anyPort) { $1 }) {
                worker in
                let probe = try await Probe(worker)
                try await bench.waitForNotes("runs")
                worker.send(.terminate)
                try await worker.waitForLine(containing: "draining")
                let later = try await server.createRun(deployment: deployment)
                #expect(try await probe.get("/health") == "200 draining, 1 flow run in flight")
                let ready = try await probe.get("/ready")
                #expect(ready == "503 the worker is shutting down: draining, 1 flow run in flight")
                try bench.write("go", "")
                #expect(try await worker.waitForExit(timeout: .seconds(60)) == .exited(0))
                #expect(try await server.flowRun(run)["state_name"] == "Completed")
                #expect(try await server.flowRun(later)["state_type"] == "SCHEDULED")
            }
            #expect(bench.survivors() == [])
            #expect(try await bench.remains() == [])
        }
    }

    @Test("the worker reports its status to the service manager, and flow runs do not inherit NOTIFY_SOCKET")
    func serviceManager() async throws {
        try await withTestBench { bench in
            let manager = try #require(NotifySocket(bench.directory + "/notify"))
            let script = try bench.script(
                "note",
                "echo \"socket=$NOTIFY_SOCKET\" >>'\(bench.directory)/runs'; while [ ! -e '\(bench.directory)/go' ]; do sleep 0.1; done"
            )
            _ = try await bench.server.createRun(deployment: bench.deploy(command: script))
            let variables = ["NOTIFY_SOCKET": bench.directory + "/notify"].merging(Self.draining) { $1 }
            try await bench.withWorker(variables: variables) { worker in
                var told: [String] = []
                func waitToBeTold(_ line: String) async throws {
                    try await eventually(within: .seconds(30), "the service manager gets '\(line)'") {
                        told += manager.lines()
                        return told.contains(line)
                    }
                }
                try await waitToBeTold("STATUS=serving, 1 flow run in flight")
                try await bench.waitForNotes("runs")
                worker.send(.terminate)
                try await waitToBeTold("STOPPING=1")
                try await waitToBeTold("STATUS=draining, 1 flow run in flight")
                try bench.write("go", "")
                #expect(try await worker.waitForExit(timeout: .seconds(60)) == .exited(0))
            }
            #expect(bench.notes("runs") == ["socket="])
        }
    }

    @Test("the second SIGTERM stops the runs, the third ends the worker at once, and the next worker reports the crash")
    func thrice() async throws {
        try await withTestBench { bench in
            let script = try bench.script(
                "stubborn", "trap '' TERM; echo $$ >>'\(bench.directory)/pid'; while :; do sleep 1; done")
            let run = try await bench.server.createRun(deployment: bench.deploy(command: script))
            try await withChildProcess(
                WorkerProgram.path, bench.arguments(), environment: bench.environment(Self.draining),
                workingDirectory: bench.directory
            ) { worker in
                try await bench.waitForNotes("pid")
                worker.send(.terminate)
                try await worker.waitForLine(containing: "draining")
                try await Task.sleep(for: ChildProcess.signalWindow)
                worker.send(.terminate)
                try await worker.waitForLine(containing: "stopping flow run")
                #expect(worker.exitStatus == nil)
                try await Task.sleep(for: ChildProcess.signalWindow)
                worker.send(.terminate)
                #expect(try await worker.waitForExit(timeout: .seconds(10)) == .exited(143))
            }
            let process = try #require(Int32(bench.notes("pid").first ?? ""))
            #expect(bench.survivors().contains(process))
            try await bench.withWorker { worker in
                try await worker.waitForLine(containing: "still runs as '\(process)': watching it")
                ProcessTable.kill(process)
                try await eventually(within: .seconds(60), "the run is reported as Crashed") {
                    try await bench.server.flowRun(run)["state_name"] == "Crashed"
                }
            }
            #expect(bench.survivors() == [])
            #expect(try await bench.remains() == [])
        }
    }

    @Test("with --detach-on-exit runs continue without the worker, and the next worker adopts them with their output")
    func detach() async throws {
        try await withTestBench { bench in
            let program = try bench.write(
                "talk.py",
                FlowSource.quickRun.replacing("note(\"end\")", with: "print('the end', flush=True); note(\"end\")"))
            let (runs, go) = ("\(bench.directory)/runs", "\(bench.directory)/go")
            let deployment = try await bench.deploy(command: "python \(program) \(runs) \(go)")
            let run = try await bench.server.createRun(deployment: deployment)
            try await bench.withWorker(["--detach-on-exit"]) { worker in
                try await bench.waitForNotes("runs")
                worker.send(.terminate)
                #expect(try await worker.waitForExit(timeout: .seconds(20)) == .exited(0))
            }
            #expect(!bench.survivors().isEmpty)
            try await bench.withWorker(["--detach-on-exit"]) { worker in
                // The run ends only when the next worker watches it.
                try await worker.waitForLine(containing: "still runs as")
                try bench.write("go", "")
                try await eventually(within: .seconds(60), "the next worker prints the output") {
                    worker.output.contains("the end")
                }
                try await bench.waitForCompletedRuns(1)
                try await eventually(within: .seconds(60), "no row and no run directory remains") {
                    try await bench.remains() == []
                }
            }
            #expect(bench.notes("runs") == ["begin \(run)", "end \(run)"])
            #expect(bench.survivors() == [])
        }
    }

    @Test("SIGHUP reloads the profile for the worker and for later runs")
    func reload() async throws {
        try await withTestBench { bench in
            let server = bench.server
            try FileManager.default.createDirectory(
                atPath: bench.directory + "/prefect", withIntermediateDirectories: true)
            let profile = { (level: String) in
                "active = 'p'\n[profiles.p]\nPREFECT_LOGGING_LEVEL = '\(level)'\n"
                    + "PREFECT_API_KEY = 'pnu_\(level)secret'\n"
            }
            try bench.write("prefect/profiles.toml", profile("WARNING"))
            let script = try bench.script("note", "echo \"$PREFECT_LOGGING_LEVEL\" >>'\(bench.directory)/runs'")
            let deployment = try await bench.deploy(command: script)
            try await bench.withWorker { worker in
                _ = try await server.createRun(deployment: deployment)
                try await bench.waitForNotes("runs")
                try bench.write("prefect/profiles.toml", "[profiles.p")
                worker.send(.hangup)
                try await worker.waitForLine(containing: "the settings stay as they were")
                for number in ["inf", "nan", "1e+300"] {
                    let setting = "PREFECT_LOGGING_TO_API_BATCH_INTERVAL"
                    try bench.write("prefect/profiles.toml", profile("DEBUG") + "\(setting) = '\(number)'\n")
                    worker.send(.hangup)
                    try await eventually("the message about the number \(number) names its setting") {
                        worker.errors.contains {
                            $0.contains("the settings stay as they were") && $0.contains(setting) && $0.contains(number)
                        }
                    }
                }
                try bench.write("prefect/profiles.toml", profile("DEBUG"))
                worker.send(.hangup)
                try await worker.waitForLine(containing: "changed: PREFECT_API_KEY, PREFECT_LOGGING_LEVEL")
                _ = try await server.createRun(deployment: deployment)
                try await eventually(within: .seconds(60), "the second run has written its note") {
                    bench.notes("runs").count == 2
                }
                #expect(!worker.errors.contains { $0.contains("secret") })
            }
            #expect(bench.notes("runs") == ["WARNING", "DEBUG"])
        }
    }

    @Test(
        "a worker refuses another worker's state directory, and works without a state directory that it cannot use")
    func stateDirectory() async throws {
        try await withTestBench { bench in
            let state = ["--state-dir", bench.directory + "/state"]
            try await bench.withWorker(name: "first", state) { worker in
                try await worker.waitForLine(containing: "started")
                let second = try await WorkerProgram.run(
                    bench.arguments(name: "second", state), environment: bench.environment(), in: bench.directory)
                #expect(second.status == .exited(1))
                #expect(second.errors.count == 1)
                #expect(second.text.contains("belongs to worker 'first'") && second.text.contains("--state-dir"))
            }
            try await bench.withWorker(["--state-dir", "/proc/nowhere"]) { worker in
                try await worker.waitForLine(containing: "The state directory '/proc/nowhere' cannot be used")
                try await worker.waitForLine(containing: "started")
            }
        }
    }

    @Test("a worker that starts with SIGINT ignored, as in a shell's background job, obeys SIGTERM and SIGINT")
    func interruptIgnored() async throws {
        try await withTestBench { bench in
            for signal in [ChildProcess.Signal.terminate, .interrupt] {
                let command = "trap '' INT; exec \"$0\" \"$@\""
                try await withChildProcess(
                    "/bin/sh", ["-c", command, WorkerProgram.path] + bench.arguments(),
                    environment: bench.environment(), workingDirectory: bench.directory
                ) { worker in
                    try await worker.waitForLine(containing: "started")
                    worker.send(signal)
                    #expect(try await worker.waitForExit(timeout: .seconds(30)) == .exited(0))
                }
            }
        }
    }

    @Test("with --run-once a worker executes the due runs and exits, also when no run is due")
    func runOnce() async throws {
        try await withTestBench { bench in
            let script = try bench.script("note", "echo done >>'\(bench.directory)/runs'")
            let deployment = try await bench.deploy(command: script)
            for due in [false, true] {
                if due { _ = try await bench.server.createRun(deployment: deployment) }
                let worker = try await WorkerProgram.run(
                    bench.arguments(["--run-once"]), environment: bench.environment(), in: bench.directory)
                #expect(worker.status == .exited(0), "\(worker.text)")
                #expect(bench.notes("runs") == (due ? ["done"] : []))
            }
        }
    }
}
