import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("Recovery of Docker containers", .requires(.prefectServer, .docker), .dockerImages, .bounded)
struct DockerRecoveryTests {
    @Test("a worker finds its containers after a kill, with the exit codes of those that ended meanwhile")
    func killedWorker() async throws {
        try await withDockerBench { docker in
            let bench = docker.bench
            let server = bench.server
            // One container ends while no worker watches, and the other continues.
            let brief = try await docker.shell(
                "touch \"$OUT/brief\"; sleep 3; exit 5", jobVariables: ["env": ["OUT": .string(bench.directory)]])
            let long = try await docker.shell(
                "touch \"$OUT/long\"; while [ ! -e \"$OUT/end\" ]; do sleep 0.1; done; echo at the end; exit 6",
                jobVariables: ["auto_remove": true, "env": ["OUT": .string(bench.directory)]])
            let arguments = bench.arguments(name: "bench", ["--type", "docker"])
            let environment = bench.environment(docker.environment())
            try await withChildProcess(
                WorkerProgram.path, arguments, environment: environment, workingDirectory: bench.directory
            ) { worker in
                for run in [brief, long] {
                    try await eventually(within: .seconds(60), "the run has a container") {
                        try await server.flowRun(run)["infrastructure_pid"]?.stringValue != nil
                    }
                }
                worker.send(.kill)
                _ = try await worker.waitForExit()
            }
            try await eventually(within: .seconds(30), "the brief run's container has ended") {
                try await docker.containers(of: brief, running: true).isEmpty
            }
            try await docker.withWorker { worker in
                #expect(try await docker.crash(of: brief).contains("status code 5"))
                try bench.write("end", "")
                #expect(try await docker.crash(of: long).contains("status code 6"))
                try await worker.waitForLine(containing: "at the end")
                try await eventually(within: .seconds(20), "the long run's container is removed") {
                    try await docker.containers(of: long).isEmpty
                }
            }
            #expect(try await docker.containers(of: brief).count == 1)
            #expect(try await bench.remains() == [])
        }
    }

    @Test("another worker completes a cancellation that takes too long, at the server's request")
    func cleanup() async throws {
        try await withTemporaryDirectory { directory in
            let own = try OwnServer(directory: directory)
            let settings = [
                "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "1",
                "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_CANCELLING_TIMEOUT_SECONDS": "3",
            ]
            try await own.whileRunning(settings: settings) {
                try await withDockerBench(on: own.client) { docker in
                    let bench = docker.bench
                    let run = try await docker.shell("trap 'exit 0' TERM; while :; do sleep 0.2; done")
                    let credentials = ["PREFECT_API_AUTH_STRING": OwnServer.credentials]
                    try await withChildProcess(
                        WorkerProgram.path, bench.arguments(name: "first", ["--type", "docker"]),
                        environment: bench.environment(docker.environment(credentials)),
                        workingDirectory: bench.directory
                    ) { first in
                        try await eventually(within: .seconds(60), "the run has a container") {
                            try await bench.server.flowRun(run)["infrastructure_pid"]?.stringValue != nil
                        }
                        first.send(.kill)
                        _ = try await first.waitForExit()
                    }
                    try await bench.server.setState(of: run, to: "RUNNING", force: true)
                    let others = ["--state-dir", "\(bench.directory)/second"]
                    try await docker.withWorker(others, variables: credentials) { second in
                        try await second.waitForLine(containing: "worker channel of work pool")
                        try await bench.server.setState(of: run, to: "CANCELLING", name: "Cancelling")
                        try await second.waitForLine(containing: "asks to clean up", timeout: .seconds(60))
                        try await eventually(within: .seconds(60), "the container is stopped") {
                            try await docker.containers(of: run, running: true).isEmpty
                        }
                        #expect(try await bench.server.flowRun(run)["state_name"] == "Cancelled")
                    }
                }
            }
        }
    }

    @Test("a worker that is killed at any time runs each of its runs exactly once")
    func killedOften() async throws {
        try await withDockerBench { docker in
            let bench = docker.bench
            let script = "echo $PREFECT__FLOW_RUN_ID >>\"$OUT/begun\"; sleep 1; exit 4"
            let deployment = try await bench.deploy(
                command: "sh -c '\(script)'",
                jobVariables: [
                    "image": "busybox:lab", "env": ["OUT": .string(bench.directory)], "auto_remove": true,
                    "volumes": [.string("\(bench.directory):\(bench.directory)")],
                ])
            var random = FuzzRandom(seed: UInt64.random(in: 0...UInt64.max))
            var runs: Set<String> = []
            for _ in 0..<16 {
                runs.insert(try await bench.server.createRun(deployment: deployment))
                try await withChildProcess(
                    WorkerProgram.path, bench.arguments(name: "bench", ["--type", "docker"]),
                    environment: bench.environment(docker.environment(["PREFECT_WORKER_QUERY_SECONDS": "0.2"])),
                    workingDirectory: bench.directory
                ) { worker in
                    _ = try? await worker.waitForExit(timeout: .milliseconds(150 + random.below(900)))
                    worker.send(.kill)
                    _ = try await worker.waitForExit()
                }
            }
            try await docker.withWorker { _ in
                try await eventually(within: .seconds(90), "all runs have crashed", every: .milliseconds(300)) {
                    try await bench.count(ofStates: ["CRASHED"]) == 16
                }
                // The Engine may still create a container for a killed worker. Such a container never runs, and is
                // removed because of its age.
                // The container of a run that was given up is removed by the next sweep.
                var kept: Set<String> = []
                for run in try await bench.givenUp(runs) { kept.formUnion(try await docker.containers(of: run)) }
                let exempt = kept
                try await eventually(within: .seconds(30), "no container that ran remains", every: .milliseconds(300)) {
                    exempt.isSuperset(of: try await docker.containers(inStates: ["exited", "dead", "removing"]))
                }
                #expect(try await docker.containers(inStates: ["running"]).isEmpty)
                try await eventually(
                    within: .seconds(30), "no row and no run directory remains", every: .milliseconds(300)
                ) {
                    try await bench.remains() == []
                }
            }
            // Two kills in a row during the creation of a run's container make the worker give that run up.
            let givenUp = try await bench.givenUp(runs)
            #expect(givenUp.count < runs.count)
            let begun = bench.notes("begun")
            #expect(begun.count == Set(begun).count, "\(begun.sorted())")
            #expect(Set(begun).subtracting(givenUp) == runs.subtracting(givenUp), "\(begun.sorted()), \(givenUp)")
        }
    }

    @Test("a run whose container is removed externally is Crashed, unless the run has already ended")
    func removed() async throws {
        try await withDockerBench { docker in
            let server = docker.bench.server
            let run = try await docker.shell("trap 'exit 0' TERM; while :; do sleep 0.2; done")
            let ended = try await docker.shell("trap 'exit 0' TERM; while :; do sleep 0.2; done")
            try await docker.withWorker { worker in
                let containers = [
                    try await docker.waitForContainer(of: run), try await docker.waitForContainer(of: ended),
                ]
                for id in [run, ended] {
                    try await eventually(within: .seconds(30), "the server has the run's container") {
                        try await server.flowRun(id)["infrastructure_pid"]?.stringValue != nil
                    }
                }
                try await server.setState(of: ended, to: "COMPLETED", force: true)
                // The Engine kills a container before it removes it. A worker that runs may inspect it in between.
                worker.send(.stop)
                try await DockerBench.docker(["rm", "-f"] + containers)
                worker.send(.resume)
                let crash = try await docker.crash(of: run)
                #expect(crash.contains("removed by somebody else"), "\(crash)")
            }
            #expect(try await server.flowRun(ended)["state_name"] == "Completed")
        }
    }

    @Test("crashed runs of a dead worker are reported without its ledger, by exactly one of two workers")
    func orphans() async throws {
        try await withDockerBench { docker in
            let (bench, server) = (docker.bench, docker.bench.server)
            func start(_ end: String) async throws -> String {
                try await docker.shell(
                    "while [ ! -e \"$OUT/\(end)\" ]; do sleep 0.1; done; echo last words >&2; exit 6",
                    jobVariables: ["env": ["OUT": .string(bench.directory)], "auto_remove": true])
            }
            let runs = [try await start("early"), try await start("late")]
            try await withChildProcess(
                WorkerProgram.path, bench.arguments(name: "replaced", ["--type", "docker"]),
                environment: bench.environment(docker.environment()), workingDirectory: bench.directory
            ) { worker in
                for run in runs { _ = try await docker.waitForContainer(of: run) }
                worker.send(.kill)
                try await worker.waitForExit()
            }
            try bench.write("early", "")
            try await eventually(within: .seconds(60), "the early run's container has ended") {
                try await !docker.containers(of: runs[0], inStates: ["exited"]).isEmpty
            }
            func withAnother(_ name: String, _ body: () async throws -> Void) async throws {
                let others = ["--type", "docker", "--state-dir", "\(bench.directory)/state-of-\(name)"]
                try await bench.withWorker(name: name, others, variables: docker.environment()) { worker in
                    try await worker.waitForLine(containing: "started!")
                    try await body()
                }
            }
            try await withAnother("second") {
                try await withAnother("third") {
                    try bench.write("late", "")
                    for run in runs {
                        let message = try await docker.crash(of: run, within: .seconds(90))
                        #expect(message.contains("status code 6") && message.contains("last words"), "\(message)")
                    }
                    try await eventually(within: .seconds(30), "the containers are removed") {
                        try await docker.containers().isEmpty
                    }
                }
            }
            for run in runs {
                #expect(try await server.stateHistory(of: run).count { $0 == "Crashed" } == 1)
                let reports = try await server.logs(of: run).count { $0.contains("status code 6") }
                #expect(reports == 1, "\(run) has \(reports) reports")
            }
        }
    }

    @Test(
        "containers continue after the shutdown of their worker, and the next worker adopts them with their output"
    )
    func handedOver() async throws {
        try await withDockerBench { docker in
            let run = try await docker.shell(
                "n=0; while [ ! -e \"$OUT/end\" ]; do n=$((n+1)); echo tick $n; sleep 0.05; done; exit 8",
                jobVariables: ["env": ["OUT": .string(docker.bench.directory)]])
            var ticks = try await docker.withWorker { worker in
                try await worker.waitForLine(containing: "tick 5")
                worker.send(.terminate)
                try await worker.waitForExit()
                return worker.output
            }
            #expect(try await docker.containers(running: true).count == 1)
            ticks += try await docker.withWorker { worker in
                try await worker.waitForLine(containing: "tick")
                try docker.bench.write("end", "")
                #expect(try await docker.crash(of: run).contains("status code 8"))
                return worker.output
            }
            // The lines from the time without a worker are complete, and no line appears twice.
            ticks = ticks.filter { $0.hasPrefix("tick") }
            #expect(ticks.count > 5)
            let wrong = ticks.enumerated().first { $1 != "tick \($0 + 1)" }
            #expect(wrong == nil, "line \(wrong?.offset ?? 0) of \(ticks.count) is '\(wrong?.element ?? "")'")
        }
    }

    @Test("without an Engine a worker is not ready and claims nothing, and it continues when the Engine answers")
    func noEngine() async throws {
        try await withDockerBench { docker in
            let bench = docker.bench
            let address = try #require(Engine.docker.address)
            guard address.hasPrefix("unix://") else { return }
            let socket = "\(bench.directory)/engine.sock"
            let run = try await docker.shell("exit 2")
            let variables = Probe.anyPort.merging(["DOCKER_HOST": "unix://\(socket)"]) { $1 }
            try await docker.withWorker(["--with-healthcheck"], variables: variables) { worker in
                try await worker.waitForLine("a line about the Engine") {
                    $0.text.contains("is unreachable") && $0.text.contains("DOCKER_HOST")
                }
                let probe = try await Probe(worker)
                try await eventually(within: .seconds(20), "the worker is alive and not ready") {
                    let answer = try await probe.get("/ready")
                    let health = try await probe.get("/health")
                    return answer.hasPrefix("503") && answer.contains("Docker Engine") && health.hasPrefix("200")
                }
                let lag = "prefect_worker_watch_lag_seconds{backend=\"docker\"}"
                try await eventually("the metric shows a watch lag") { try await probe.metric(lag) ?? 0 > 0 }
                let began = Date().timeIntervalSince1970
                try FileManager.default.createSymbolicLink(
                    atPath: socket, withDestinationPath: String(address.dropFirst("unix://".count)))
                try await worker.waitForLine(containing: "is available again")
                #expect(try await docker.crash(of: run).contains("status code 2"))
                #expect(try await probe.get("/ready").hasPrefix("200"))
                #expect(try await probe.metric(lag) == 0)
                let crashes = "prefect_worker_run_outcomes_total{outcome=\"crashed\",pool=\"\(bench.pool)\"}"
                try await eventually("the crash is counted") { try await probe.metric(crashes) == 1 }
                let states = try await bench.server.call("GET", "/flow_run_states/?flow_run_id=\(run)").arrayValue ?? []
                let claim = states.filter { $0["type"] == "PENDING" }.compactMap { $0["timestamp"]?.stringValue }.min()
                #expect(try FlowRunTests.seconds(since1970: #require(claim)) > began)
            }
        }
    }
}
