import TestSupport
import Testing

@Suite("The command healthcheck", .bounded)
struct HealthcheckTests {
    @Test(
        "healthcheck asks the worker at any listen address, bypasses proxies, and fails when the worker hangs",
        arguments: ["0.0.0.0", "127.0.0.1", "::", "[::1]"])
    func asks(_ host: String) async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            let port = try PortReservation()
            try await withTemporaryDirectory { directory in
                let environment = WorkerProgram.environment(
                    home: directory,
                    [
                        "PREFECT_API_URL": api.url, "PREFECT_WORKER_WEBSERVER_HOST": host,
                        "PREFECT_WORKER_WEBSERVER_PORT": "\(port.port)", "http_proxy": "http://127.0.0.1:1",
                        "no_proxy": "",
                    ])
                func check() async throws -> WorkerProgram.Outcome {
                    try await WorkerProgram.run(["healthcheck"], environment: environment, in: directory)
                }
                var variables = environment
                variables["http_proxy"] = nil
                try await withChildProcess(
                    WorkerProgram.path, ["start", "--pool", "p", "--python", "none", "--with-healthcheck"],
                    environment: variables, workingDirectory: directory
                ) { worker in
                    try await worker.waitForLine(containing: "started")
                    var good = try await check()
                    // On a busy machine one answer may not come in time.
                    for _ in 0..<3 where good.status != .exited(0) { good = try await check() }
                    #expect(good.status == .exited(0), "\(good.text)")
                    #expect(good.output == ["OK"] && good.errors == [])
                    worker.send(.stop)
                    let bad = try await check()
                    worker.send(.resume)
                    #expect(bad.status == .exited(1))
                    #expect(bad.errors.count == 1 && bad.text.contains("/health"), "\(bad.text)")
                    worker.send(.terminate)
                    #expect(try await worker.waitForExit(timeout: .seconds(30)) == .exited(0))
                    #expect(!worker.errors.contains { $0.contains("stopped listening") }, "\(worker.errors)")
                }
            }
        }
    }

    @Test("--metrics-host moves /metrics and /status from the probes' port to a separate port")
    func metricsHost() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            let (probes, metrics) = (try PortReservation(), try PortReservation())
            try await withTemporaryDirectory { directory in
                let environment = WorkerProgram.environment(
                    home: directory, ["PREFECT_API_URL": api.url, "PREFECT_WORKER_WEBSERVER_PORT": "\(probes.port)"])
                let arguments = [
                    "start", "--pool", "p", "--python", "none", "--with-healthcheck", "--metrics-host", "127.0.0.1",
                    "--metrics-port", "\(metrics.port)",
                ]
                try await withChildProcess(
                    WorkerProgram.path, arguments, environment: environment, workingDirectory: directory
                ) { worker in
                    try await worker.waitForLine(containing: "started")
                    func status(_ port: Int, _ path: String) async throws -> Int {
                        try await PrefectServerClient(url: "http://127.0.0.1:\(port)").send("GET", path).status
                    }
                    for path in ["/metrics", "/status"] {
                        #expect(try await status(metrics.port, path) == 200, "\(path)")
                        #expect(try await status(probes.port, path) == 404, "\(path)")
                    }
                    // Nobody has asked for the status page.
                    for port in [metrics, probes] { #expect(try await status(port.port, "/") == 404) }
                    for path in ["/health", "/ready"] {
                        #expect(try await status(metrics.port, path) == 404, "\(path)")
                        #expect(try await status(probes.port, path) == 200, "\(path)")
                    }
                }
            }
        }
    }
}
