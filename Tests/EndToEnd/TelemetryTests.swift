import Foundation
import PrefectJSON
import TestSupport
import Testing

@Suite("Spans and metrics for OpenTelemetry", .requires(.prefectServer), .bounded)
struct TelemetryTests {
    private struct Received: Sendable {
        let path: String
        let content: JSONValue

        /// The spans, and the metrics.
        var parts: [JSONValue] {
            let (resources, scopes, parts) =
                path == "/v1/traces"
                ? ("resourceSpans", "scopeSpans", "spans") : ("resourceMetrics", "scopeMetrics", "metrics")
            return (content[resources]?.arrayValue ?? []).flatMap { $0[scopes]?.arrayValue ?? [] }
                .flatMap { $0[parts]?.arrayValue ?? [] }
        }
    }

    private func received(_ receiver: ChildProcess) throws -> [Received] {
        // The receiver's standard error names connections that the worker's exit has ended.
        try receiver.output.dropFirst().map { line in
            let json = try JSONValue(parsing: line)
            #expect(json["error"] == nil, "\(line)")
            return Received(path: json["path"]?.stringValue ?? "", content: json["content"] ?? .null)
        }
    }

    @Test(
        "a receiver gets valid spans and metrics, and a run's process continues the trace of the worker",
        .toolsPython)
    func telemetry() async throws {
        let python = try #require(ToolsPython.path)
        try await withTestBench { bench in
            try await withChildProcess(python, [Resource.path("telemetry_receiver", "py")]) { receiver in
                try await eventually(within: .seconds(60), "the receiver has a port") { !receiver.output.isEmpty }
                let port = try #require(receiver.output.first)
                let variables = [
                    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:\(port)", "OTEL_SERVICE_NAME": "w",
                    "OTEL_METRIC_EXPORT_INTERVAL": "1000",
                ]
                let deployment = try await bench.deploy(
                    command: "sh -c 'echo $TRACEPARENT >>\(bench.directory)/trace'")
                try await bench.withWorker(["--python", "none"], variables: variables) { _ in
                    _ = try await bench.server.createRun(deployment: deployment)
                    try await bench.waitForNotes("trace")
                }
                // The last spans are sent before the worker exits.
                let received = try received(receiver)
                let spans = received.filter { $0.path == "/v1/traces" }.flatMap(\.parts)
                let run = try #require(spans.first { $0["name"] == "worker.run" })
                let trace = try #require(run["traceId"]?.stringValue)
                #expect(bench.notes("trace").first?.hasPrefix("00-\(trace)-") == true)
                let steps = spans.filter { $0["traceId"]?.stringValue == trace && $0["parentSpanId"] == run["spanId"] }
                #expect(
                    Set(steps.compactMap { $0["name"]?.stringValue })
                        == ["worker.claim", "worker.configure", "worker.start", "worker.watch"])
                let metrics = received.filter { $0.path == "/v1/metrics" }.flatMap(\.parts)
                #expect(metrics.contains { $0["name"] == "prefect_worker_run_outcomes_total" && $0["sum"] != nil })
                #expect(metrics.contains { $0["name"] == "prefect_worker_poll_duration_seconds" })
                let resource =
                    received.first?.content["resourceSpans"]?[0]?["resource"]
                    ?? received.first?.content["resourceMetrics"]?[0]?["resource"]
                #expect(
                    resource?["attributes"]?.arrayValue?.contains(
                        ["key": "service.name", "value": ["stringValue": "w"]]) == true)
            }
        }
    }
}
