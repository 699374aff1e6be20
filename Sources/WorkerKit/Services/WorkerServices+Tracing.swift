internal import JobTemplates
internal import PrefectClient
internal import Tracing

// Spans of the worker's activity. Without a bootstrapped tracer they cost almost nothing and nothing receives them.
extension WorkerServices {
    /// Whether a tracer is bootstrapped.
    var isTraced: Bool { !(self.tracer is NoOpTracer) }

    /// Performs a step in a span of its own, within the current span.
    func span<Result: Sendable>(
        _ name: String, isolation: isolated (any Actor)? = #isolation, _ step: () async throws -> Result
    ) async rethrows -> Result {
        try await self.tracer.withSpan(name) { _ in try await step() }
    }

    /// Performs all work on a flow run in a span, within the trace that the run is part of.
    func span(
        ofRun flowRun: KnownRun, pool: String, isolation: isolated (any Actor)? = #isolation,
        _ steps: () async -> RunOutcome
    ) async -> RunOutcome {
        var context = ServiceContext.topLevel
        if let parent = TraceContext(ofFlowRun: flowRun.record.jsonValue) {
            self.tracer.extract([Carrier.traceparent: parent.traceparent], into: &context, using: Carrier())
        }
        return await self.tracer.withSpan("worker.run", context: context) { span in
            span.attributes["prefect.flow-run.id"] = flowRun.id
            span.attributes["prefect.work-pool.name"] = pool
            let outcome = await steps()
            span.attributes["prefect.worker.outcome"] = outcome.rawValue
            return outcome
        }
    }

    /// The context of the current span, which a process of a run continues; `nil` without a tracer that has one.
    var currentTrace: TraceContext? {
        var carrier: [String: String] = [:]
        self.tracer.inject(ServiceContext.current ?? .topLevel, into: &carrier, using: Carrier())
        return carrier[Carrier.traceparent].flatMap(TraceContext.init(traceparent:))
    }
}

/// The headers of a trace, as tracers read and write them.
private struct Carrier: Injector, Extractor {
    static let traceparent = "traceparent"

    func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }

    func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
}
