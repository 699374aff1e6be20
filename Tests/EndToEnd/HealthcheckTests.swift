import TestSupport
import Testing

@Suite("The command for health checks", .bounded)
struct HealthcheckTests {
    @Test(
        "asks the worker of its own host, wherever that listens, past proxies, and does not wait for one that hangs",
        arguments: ["0.0.0.0", "127.0.0.1", "::", "[::1]"])
    func asks(_ host: String) async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            let port = try PortReservation()
            try await withTemporaryDirectory { folder in
                let environment = WorkerProgram.environment(
                    home: folder,
                    [
                        "PREFECT_API_URL": api.url, "PREFECT_WORKER_WEBSERVER_HOST": host,
                        "PREFECT_WORKER_WEBSERVER_PORT": "\(port.port)", "http_proxy": "http://127.0.0.1:1",
                        "no_proxy": "",
                    ])
                func check() async throws -> WorkerProgram.Outcome {
                    try await WorkerProgram.run(["healthcheck"], environment: environment, in: folder)
                }
                var variables = environment
                variables["http_proxy"] = nil
                try await withChildProcess(
                    WorkerProgram.path, ["start", "--pool", "p", "--python", "none", "--with-healthcheck"],
                    environment: variables, workingDirectory: folder
                ) { worker in
                    try await worker.waitForLine(containing: "started")
                    let good = try await check()
                    #expect(good.status == .exited(0), "\(good.text)")
                    #expect(good.output == ["OK"] && good.errors == [])
                    worker.send(.stop)
                    let bad = try await check()
                    worker.send(.resume)
                    #expect(bad.status == .exited(1))
                    #expect(bad.errors.count == 1 && bad.text.contains("/health"), "\(bad.text)")
                }
            }
        }
    }
}
