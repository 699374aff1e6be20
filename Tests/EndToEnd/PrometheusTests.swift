import Foundation
import PrefectJSON
import TestSupport
import Testing

@Suite(
    "Metrics, as Prometheus reads them", .requires(.prefectServer),
    .requires(programs: ["prometheus", "promtool"], of: "prometheus"), .bounded)
struct PrometheusTests {
    /// Runs a shell command, which must succeed, and returns its output.
    private func shell(_ command: String, _ arguments: [String] = [], in directory: String) async throws -> [String] {
        let environment = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "", "HOME": directory]
        return try await withChildProcess(
            "/bin/sh", ["-c", command, "sh"] + arguments, environment: environment, workingDirectory: directory
        ) { process in
            let status = try await process.waitForExit(timeout: .seconds(60))
            #expect(status == .exited(0), "\(process.summary)")
            return process.output
        }
    }

    /// Runs a Prometheus that reads a worker every three seconds, and passes its address to `body`.
    private func withPrometheus(
        of probe: Probe, in directory: String, _ body: (String) async throws -> Void
    ) async throws {
        let reservation = try PortReservation()
        let configuration = """
            global: {scrape_interval: 3s}
            scrape_configs:
              - job_name: prefect-worker
                static_configs: [{targets: ["127.0.0.1:\(probe.port)"]}]
            """
        let path = "\(directory)/prometheus.yml"
        try Data(configuration.utf8).write(to: URL(filePath: path))
        try await withChildProcess(
            "prometheus",
            [
                "--config.file=\(path)", "--storage.tsdb.path=\(directory)/tsdb",
                "--web.listen-address=127.0.0.1:\(reservation.port)",
            ],
            environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? ""], workingDirectory: directory
        ) { prometheus in
            try await prometheus.waitForLine(containing: "ready to receive", timeout: .seconds(60))
            try await body("http://127.0.0.1:\(reservation.port)")
        }
    }

    @Test("the worker's metrics pass promtool, contain no name of a run, and supply every query of the dashboard")
    func scraped() async throws {
        try await withTestBench { bench in
            let server = bench.server
            let flow = try await bench.deploy("succeed")
            let good = try await server.createRun(deployment: flow, parameters: ["word": "plover"], name: "happy-run")
            let bad = try await server.createRun(deployment: bench.deploy(command: "sh -c 'exit 3'"), name: "sad-run")
            try await bench.withWorker(["--with-healthcheck"], variables: Probe.anyPort) { worker in
                let probe = try await Probe(worker)
                try await withPrometheus(of: probe, in: bench.directory) { prometheus in
                    try await server.waitForRun(good, toBe: ["Completed"])
                    try await server.waitForRun(bad, toBe: ["Crashed"])
                    // Rates need several samples.
                    let outcomes =
                        "sum+by+(outcome)(max_over_time(prefect_worker_run_outcomes_total[1m]))"
                        + "+and+on()+(count_over_time(up[1m])%3E3)"
                    try await eventually(
                        within: .seconds(60), "Prometheus has the ends of both runs", every: .milliseconds(500)
                    ) {
                        let answer = try await PrefectServerClient(url: prometheus)
                            .call("GET", "/api/v1/query?query=\(outcomes)")
                        let counts = answer["data"]?["result"]?.arrayValue ?? []
                        let seen = counts.filter { $0["value"]?.arrayValue?.last == "1" }
                            .compactMap { $0["metric"]?["outcome"]?.stringValue }
                        return Set(seen) == ["ended", "crashed"]
                    }
                    try await checkText(probe, names: [good, bad, "happy-run", bench.flowName], bench)
                    try await checkDashboard(prometheus, bench)
                }
            }
        }
    }

    private func checkText(_ probe: Probe, names: [String], _ bench: TestBench) async throws {
        let address = "http://127.0.0.1:\(probe.port)/metrics"
        let complaints = try await shell(
            "curl -sSfo metrics.txt \"$1\" && promtool check metrics <metrics.txt", [address], in: bench.directory)
        #expect(complaints == [])
        let text = try String(contentsOfFile: "\(bench.directory)/metrics.txt", encoding: .utf8)
        #expect(text.contains(#"prefect_worker_run_outcomes_total{outcome="crashed",pool="\#(bench.pool)"} 1"#))
        #expect(text.contains(#"prefect_worker_api_requests_total{code="201",method="POST",route="/flow_runs/{id}"#))
        // The pool of the bench has the same name as its flow.
        let labels = text.replacing("pool=\"\(bench.pool)\"", with: "")
        for name in names { #expect(!labels.contains(name)) }
    }

    private func checkDashboard(_ prometheus: String, _ bench: TestBench) async throws {
        let examples = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../examples")
        let script = examples.appending(path: "prometheus/check.sh").path
        // A process pool has no watch, so this query has no data.
        let missing = ["Infrastructure unwatched for A: no data"]
        var lines: [String] = []
        // On a busy machine Prometheus may have read the worker too rarely.
        for attempt in 0..<3 where lines.filter({ $0.hasSuffix("no data") }) != missing {
            if attempt > 0 { try await Task.sleep(for: .seconds(10)) }
            lines = try await shell("exec \"$1\" \"$2\"", [script, prometheus], in: bench.directory)
        }
        #expect(lines.count { $0.hasSuffix("SUCCESS") || $0.contains("SUCCESS") } >= 4)
        #expect(lines.count { $0.hasSuffix("series") } > 20)
        #expect(lines.filter { $0.hasSuffix("no data") } == missing)
    }
}

extension Trait where Self == ConditionTrait {
    /// Runs a test only where programs of a Debian package are on `PATH`.
    static func requires(programs: [String], of package: String) -> Self {
        .enabled("needs \(programs.joined(separator: " and ")), as Debian's package \(package) has them") {
            let directories = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            return programs.allSatisfy { program in
                directories.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
            }
        }
    }
}
