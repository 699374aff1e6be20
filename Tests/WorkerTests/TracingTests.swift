import InMemoryTracing
import JobTemplates
import PrefectClient
import PrefectJSON
import TestSupport
import Testing
import Tracing
import WorkerKit

@Suite("The worker's own spans", .serialized)
struct TracingTests {
    private static let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test("a run is a span with its steps in the trace that its label names, and polls are separate spans")
    func spans() async throws {
        let tracer = W3CTracer()
        try await withPool { api, deployment in
            let run = api.scheduleRun(
                deployment: deployment, labels: ["__OTEL_TRACEPARENT": .string(Self.traceparent)])
            let backend = FakeBackend { $0.immediateEnd = { _ in .reported("COMPLETED") } }
            try await withWorker(api, backend: backend, tracer: tracer) { subject in
                try await eventually("the run's span has ended") { tracer.spans("worker.run").count == 1 }
            }
            let whole = try #require(tracer.spans("worker.run").first)
            #expect(whole.traceID == "0af7651916cd43dd8448eb211c80319c")
            #expect(whole.parentSpanID == "b7ad6b7169203331")
            #expect(whole.attributes["prefect.flow-run.id"]?.toSpanAttribute() == .string(run))
            #expect(whole.attributes["prefect.work-pool.name"]?.toSpanAttribute() == .string("p"))
            #expect(whole.attributes["prefect.worker.outcome"]?.toSpanAttribute() == .string("ended"))
            for step in ["claim", "configure", "start", "watch"] {
                let span = try #require(tracer.spans("worker.\(step)").first, "\(step)")
                #expect(span.parentSpanID == whole.spanID)
            }
            #expect(tracer.spans("worker.poll").count > 0)
            #expect(tracer.spans("worker.poll").allSatisfy { $0.traceID != whole.traceID })
            // The run's process continues the run's span.
            #expect(handedOn(backend) == "00-\(whole.traceID)-\(whole.spanID)-01")
        }
    }

    private func handedOn(_ backend: FakeBackend) -> String? { backend.contexts.first?.traceContext?.traceparent }

    @Test("without a tracer, the run's process continues the trace that the run's label names")
    func withoutTracer() async throws {
        try await withPool { api, deployment in
            api.scheduleRun(deployment: deployment, labels: ["__OTEL_TRACEPARENT": .string(Self.traceparent)])
            let backend = FakeBackend { $0.immediateEnd = { _ in .reported("COMPLETED") } }
            try await withWorker(api, backend: backend) { subject in
                try await eventually("the run is configured") { !backend.contexts.isEmpty }
            }
            #expect(handedOn(backend) == Self.traceparent)
        }
    }
}

/// An ``InMemoryTracer`` that reads and writes contexts in the form of W3C Trace Context.
private struct W3CTracer: Tracer {
    private let memory = InMemoryTracer(
        idGenerator: .init(
            nextTraceID: { String(repeating: "c", count: 32) }, nextSpanID: { W3CTracer.hexadecimal(16) }))

    private static func hexadecimal(_ count: Int) -> String {
        String((0..<count).map { _ in "123456789abcdef".randomElement() ?? "1" })
    }

    func spans(_ name: String) -> [FinishedInMemorySpan] {
        memory.finishedSpans.filter { $0.operationName == name }
    }

    func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> InMemorySpan {
        memory.startSpan(
            operationName, context: context(), ofKind: kind, at: instant(), function: function, file: fileID,
            line: line)
    }

    func forceFlush() {}

    func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Carrier == Inject.Carrier {
        guard let span = context.inMemorySpanContext else { return }
        injector.inject("00-\(span.traceID)-\(span.spanID)-01", forKey: "traceparent", into: &carrier)
    }

    func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Carrier == Extract.Carrier {
        let parts = extractor.extract(key: "traceparent", from: carrier)?.split(separator: "-").map(String.init) ?? []
        guard parts.count == 4 else { return }
        let values = [InMemoryTracer.traceIDKey: parts[1], InMemoryTracer.spanIDKey: parts[2]]
        memory.extract(values, into: &context, using: Values())
    }

    private struct Values: Extractor {
        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
    }
}
