import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("Live connections", .requires(.prefectServer), .bounded)
struct LiveConnectionTests {
    /// Settings with which polling finds nothing within the time of a test.
    private static let deaf = Probe.anyPort.merging([
        "PREFECT_WORKER_QUERY_SECONDS": "600", "PREFECT_WORKER_CANCELLATION_POLL_SECONDS": "600",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "600", "PREFECT_WORKER_PREFETCH_SECONDS": "1",
    ]) { $1 }

    private func isLive(_ status: JSONValue) -> Bool {
        let connections = status["connections"]
        return [
            connections?["events_from_api"], connections?["events_to_api"],
            status["pools"]?.arrayValue?.first?["channel"],
        ].allSatisfy { $0?["live"] == true }
    }

    /// Waits until all three connections are live. The event feed needs a moment until it misses nothing.
    private func waitUntilLive(_ probe: Probe, within timeout: Duration = .seconds(30)) async throws {
        try await eventually(within: timeout, "all connections are live", every: .milliseconds(100)) {
            isLive(try await probe.status())
        }
    }

    /// Seconds from a run's creation to its Pending state, by the server's clock.
    private func pickUpTime(_ run: String, on server: PrefectServerClient) async throws -> Double {
        var times: [String: Double] = [:]
        try await eventually(within: .seconds(20), "run \(run) is Pending", every: .milliseconds(100)) {
            for state in try await server.call("GET", "/flow_run_states/?flow_run_id=\(run)").arrayValue ?? [] {
                let time = try #require(state["timestamp"]?.stringValue.flatMap { Timestamp($0) })
                // The first state of each type counts. Late has the type SCHEDULED, and Submitting has the type
                // PENDING.
                let type = state["type"]?.stringValue ?? ""
                times[type] = min(Double(time.microseconds) / 1e6, times[type] ?? .infinity)
            }
            return times["PENDING"] != nil
        }
        return try #require(times["PENDING"]) - #require(times["SCHEDULED"])
    }

    @Test("without polls, a new run is claimed at once and a running run is cancelled at once")
    func atOnce() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let lingering = try await bench.deploy("linger")
            let quick = try await bench.deploy(command: "true")
            try await bench.withWorker(["--with-healthcheck"], variables: Self.deaf) { worker in
                let probe = try await Probe(worker)
                try await waitUntilLive(probe)
                var times: [Double] = []
                for _ in 0..<10 { times.append(try await pickUpTime(server.createRun(deployment: quick), on: server)) }
                // A server that shares two cores with other tests may be slow for some runs.
                #expect(times.sorted()[5] < 5, "\(times)")

                let run = try await server.createRun(deployment: lingering)
                let process = try #require(Int32(try await bench.waitForNotes("pid")[0]))
                let clock = ContinuousClock()
                let began = clock.now
                try await server.setState(of: run, to: "CANCELLING", name: "Cancelling")
                try await eventually(within: .seconds(20), "the run's process has ended") {
                    !ProcessTable.isAlive(process)
                }
                // The flow's own hooks run first, which takes time on a busy machine.
                #expect(clock.now - began < .seconds(60))
                try await server.waitForRun(run, toBe: ["Cancelled"], within: .seconds(30))
            }
        }
    }

    @Test("without polls, a run that is due later starts at its time")
    func later() async throws {
        try await withTestBench { bench in
            let script = try bench.script("note", "date +%s >>'\(bench.directory)/began'")
            let deployment = try await bench.deploy(command: script)
            try await bench.withWorker(["--with-healthcheck"], variables: Self.deaf) { worker in
                try await waitUntilLive(try await Probe(worker))
                var lates: [Double] = []
                // The server gives a run the name Late 15 seconds after its time, which also wakes the worker. One of
                // three runs must begin before that, because on a busy machine a run may be late for other reasons.
                for number in 1...3 where (lates.min() ?? 99) > 14 {
                    let due = Date.now.timeIntervalSince1970 + 6
                    _ = try await bench.server.createRun(deployment: deployment, after: .seconds(6))
                    try await eventually(within: .seconds(60), "the run has begun", every: .milliseconds(50)) {
                        bench.notes("began").count == number
                    }
                    lates.append(try #require(Double(bench.notes("began")[number - 1])) - due)
                }
                // The worker's settings let it claim the run a second early.
                #expect(lates.allSatisfy { $0 >= -2.5 } && (lates.min() ?? 99) <= 14, "\(lates)")
            }
        }
    }

    @Test("without polls, a pause and a changed template take effect within seconds")
    func poolChanges() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let script = try bench.script("note", "echo \"$COLOUR\" >>'\(bench.directory)/colour'")
            let deployment = try await bench.deploy(command: script)
            try await bench.withWorker(["--with-healthcheck"], variables: Self.deaf) { worker in
                let probe = try await Probe(worker)
                try await waitUntilLive(probe)
                for isPaused in [true, false] {
                    let change: JSONValue = ["is_paused": .bool(isPaused)]
                    _ = try await server.send("PATCH", "/work_pools/\(bench.pool)", change)
                    try await eventually(
                        within: .seconds(10), "the worker has the state paused: \(isPaused)", every: .milliseconds(50)
                    ) {
                        try await probe.status()["pools"]?.arrayValue?.first?["paused"] == .bool(isPaused)
                    }
                }
                let id = try await server.pool(bench.pool)["id"]
                var template = try #require(try await server.pool(bench.pool)["base_job_template"])
                template["job_configuration"]?["env"] = ["COLOUR": "blue"]
                _ = try await server.send("PATCH", "/work_pools/\(bench.pool)", ["base_job_template": template])
                // A run that is claimed too early still has the old template.
                try await eventually(within: .seconds(20), "the new template applies", every: .seconds(1)) {
                    _ = try await server.createRun(deployment: deployment)
                    try await Task.sleep(for: .seconds(1))
                    return bench.notes("colour").contains("blue")
                }

                // A pool that was deleted by mistake is created again and served.
                try await server.deletePool(bench.pool)
                try await eventually(within: .seconds(20), "the pool exists again", every: .milliseconds(200)) {
                    let answer = try await server.send("GET", "/work_pools/\(bench.pool)")
                    return answer.status == 200 && answer.body["id"] != id
                }
                try await waitUntilLive(probe)
            }
        }
    }

    @Test("after a restart of the server all connections recover soon, and each run runs once")
    func restart() async throws {
        try await withTemporaryDirectory { directory in
            let own = try OwnServer(directory: directory)
            try await own.whileRunning {
                try await withTestBench(on: own.client) { bench in
                    let note = "echo \"$PREFECT__FLOW_RUN_ID\" >>'\(bench.directory)/began'"
                    let deployment = try await bench.deploy(command: try bench.script("note", note))
                    let variables = Self.deaf.merging(["PREFECT_API_AUTH_STRING": OwnServer.credentials]) { $1 }
                    try await bench.withWorker(["--with-healthcheck"], variables: variables) { worker in
                        let probe = try await Probe(worker)
                        try await waitUntilLive(probe)
                        var runs = [try await bench.server.createRun(deployment: deployment)]
                        try await bench.waitForNotes("began")
                        try await own.stop()
                        try await eventually(within: .seconds(10), "the status shows the lost connection") {
                            try await probe.status()["connections"]?["events_from_api"]?["live"] == false
                        }
                        try await own.start()
                        runs.append(try await bench.server.createRun(deployment: deployment))
                        let back = try await ContinuousClock().measure { try await waitUntilLive(probe) }
                        // The promise is 15 seconds, but the tests share their machine with the server.
                        #expect(back < .seconds(60))
                        runs.append(try await bench.server.createRun(deployment: deployment))
                        try await eventually(within: .seconds(30), "all runs have run") {
                            bench.notes("began").count >= runs.count
                        }
                        #expect(bench.notes("began").sorted() == runs.sorted())
                        #expect(!worker.lines.contains { $0.text.contains("top-secret") })
                    }
                }
            }
        }
    }

    @Test("a connection that transfers nothing any more is detected by its unanswered pings")
    func halfOpen() async throws {
        try await withTestBench { bench in
            let proxy = try await FaultProxy.start(to: bench.server.url)
            let variables = Self.deaf.merging(["PREFECT_API_URL": proxy.url]) { $1 }
            try await bench.withWorker(["--with-healthcheck"], variables: variables) { worker in
                let probe = try await Probe(worker)
                try await waitUntilLive(probe)
                try await proxy.setMode(.blackHole(.both))
                // The worker sends a ping every 20 seconds, and waits 20 seconds for the answer.
                try await eventually(
                    within: .seconds(50), "the status shows the lost connections", every: .milliseconds(500)
                ) {
                    let status = try await probe.status()
                    return status["connections"]?["events_from_api"]?["live"] == false
                        && status["pools"]?.arrayValue?.first?["channel"]?["live"] == false
                }
                try await proxy.setMode(.pass)
                await proxy.resetConnections()
                try await waitUntilLive(probe)
            }
            await proxy.stop()
        }
    }

    @Test("all connections work through an HTTP proxy and over TLS with a private authority")
    func proxyAndTLS() async throws {
        try await withTestBench { bench in
            let key = "\(bench.directory)/key.pem"
            let certificate = "\(bench.directory)/certificate.pem"
            let made = try await withChildProcess(
                "/usr/bin/env",
                [
                    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=gateway", "-addext", "subjectAltName=DNS:prefect.internal", "-keyout",
                    key, "-out", certificate,
                ]
            ) { try await $0.waitForExit() }
            #expect(made == .exited(0))
            let server = try #require(URL(string: bench.server.url)?.port)
            let script = try Resource.path("gateway", "py")
            try await withChildProcess("/usr/bin/env", ["python3", script, "\(server)", certificate, key]) { gateway in
                let proxy = try await gateway.waitForLine(containing: "proxy ").split(separator: " ")[1]
                let variables = Self.deaf.merging([
                    "PREFECT_API_URL": "https://prefect.internal/api", "PREFECT_API_SSL_CERT_FILE": certificate,
                    "HTTPS_PROXY": "http://127.0.0.1:\(proxy)",
                ]) { $1 }
                let quick = try await bench.deploy(command: "true")
                try await bench.withWorker(["--with-healthcheck"], variables: variables) { worker in
                    try await waitUntilLive(try await Probe(worker))
                    let run = try await bench.server.createRun(deployment: quick)
                    _ = try await pickUpTime(run, on: bench.server)
                }
                #expect(gateway.lines.count { $0.text == "tunnel" } >= 4)
            }
        }
    }
}
