import Logging
import PrefectJSON
import TestSupport
import Testing
import Tracing
import TransportPeers
import WorkerTelemetry

@Suite("The exporter and its receiver", .timeLimit(.minutes(2)))
struct TelemetryExporterTests {
    /// Runs a body while an exporter sends to a server, which answers each request.
    private func withExporter(
        _ variables: [String: String] = [:], log: CapturedLog = CapturedLog(),
        _ answer: @escaping @Sendable (ReceivedRequest, Connection) -> Void,
        _ body: @escaping @Sendable (TelemetryExporter) async throws -> Void
    ) async throws {
        let server = try ScriptedServer { connection in
            while let request = connection.readRequest() { answer(request, connection) }
        }
        defer { server.stop() }
        let environment = ["OTEL_EXPORTER_OTLP_ENDPOINT": server.url, "OTEL_BSP_SCHEDULE_DELAY": "10"]
        let settings = try TelemetrySettings(environment: environment.merging(variables) { $1 }, version: "1")
        let exporter = try TelemetryExporter(settings, version: "1", logger: log.logger) { [] }
        try await exporter.during { try await body(exporter) }
    }

    private func names(_ request: ReceivedRequest) throws -> [String] {
        let json = try JSONValue(parsing: request.body)
        let spans = json["resourceSpans"]?[0]?["scopeSpans"]?[0]?["spans"]?.arrayValue ?? []
        return spans.compactMap { $0["name"]?.stringValue }
    }

    @Test("spans are sent soon, with the headers, and the last ones at the end")
    func sends() async throws {
        let received = Log<ReceivedRequest>()
        try await withExporter(["OTEL_EXPORTER_OTLP_HEADERS": "x-key=k", "OTEL_METRICS_EXPORTER": "none"]) {
            received.append($0)
            $1.answer(body: "{}")
        } _: { exporter in
            exporter.tracer.withSpan("first") { _ in }
            try await eventually("the first span has arrived") { !received.all.isEmpty }
            exporter.tracer.withSpan("last") { _ in }
        }
        #expect(try received.all.flatMap(names) == ["first", "last"])
        let request = try #require(received.all.first)
        #expect(request.method == "POST" && request.target == "/v1/traces" && request.value("x-key") == "k")
        #expect(request.value("Content-Type") == "application/json")
    }

    @Test("metrics are sent at the interval and at the end")
    func metrics() async throws {
        let received = Log<ReceivedRequest>()
        try await withExporter(["OTEL_METRIC_EXPORT_INTERVAL": "20"]) {
            received.append($0)
            $1.answer(body: "{}")
        } _: { _ in
            try await eventually("two requests have arrived") { received.all.count >= 2 }
        }
        #expect(received.all.allSatisfy { $0.target == "/v1/metrics" })
    }

    @Test("a receiver that is busy gets the spans later, and one that refuses them is reported once")
    func failures() async throws {
        let received = Log<ReceivedRequest>()
        let log = CapturedLog()
        try await withExporter(["OTEL_METRICS_EXPORTER": "none"], log: log) { request, connection in
            received.append(request)
            switch received.all.count {
            case 1: connection.answer("503 Busy", body: "busy")
            case 2: connection.answer(body: "{}")
            case 3, 4: connection.answer("400 Bad Request", body: "no")
            default: connection.answer(body: "{}")
            }
        } _: { exporter in
            for (number, name) in ["busy", "refused", "refused too", "accepted"].enumerated() {
                exporter.tracer.withSpan(name) { _ in }
                try await eventually(within: .seconds(60), "the span \(name) has arrived") {
                    received.all.count >= number + 2
                }
            }
            try await eventually("the end of the outage is reported") { log.contains("sent again") }
        }
        #expect(
            try received.all.map(names) == [["busy"], ["busy"], ["refused"], ["refused too"], ["accepted"]])
        #expect(log.messages(.warning).count == 1)
        #expect(log.contains("could not be sent", level: .warning))
    }

    @Test("a receiver that never answers delays the end by a few seconds only")
    func hangs() async throws {
        let begin = ContinuousClock.now
        try await withExporter { _, connection in
            connection.waitForPeerToClose()
        } _: { exporter in
            exporter.tracer.withSpan("lost") { _ in }
        }
        #expect(ContinuousClock.now - begin < .seconds(30))
    }
}
