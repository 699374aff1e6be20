import CoreMetrics
import OrderedCollections
import PrefectJSON
import Testing
import Tracing

@testable import WorkerMetrics
@testable import WorkerTelemetry

@Suite("Spans and metrics as OpenTelemetry's JSON")
struct SpanTracerTests {
    private struct Carrier: Injector, Extractor {
        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }

        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
    }

    private struct Moment: TracerInstant {
        let nanosecondsSinceEpoch: UInt64

        static func < (left: Moment, right: Moment) -> Bool {
            left.nanosecondsSinceEpoch < right.nanosecondsSinceEpoch
        }
    }

    private static let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    private func tracer(_ queue: SpanQueue, _ sampler: String = "parentbased_always_on") throws -> SpanTracer {
        SpanTracer(queue: queue, sampler: try Sampler(name: sampler, argument: nil))
    }

    private func header(of context: ServiceContext, _ tracer: SpanTracer) -> String? {
        var carrier: [String: String] = [:]
        tracer.inject(context, into: &carrier, using: Carrier())
        return carrier["traceparent"]
    }

    @Test("a span continues the trace of a header, and its own identity is in the next header")
    func propagation() throws {
        let queue = SpanQueue(capacity: 10, batch: 10)
        let tracer = try tracer(queue)
        var context = ServiceContext.topLevel
        tracer.extract(["traceparent": Self.header], into: &context, using: Carrier())
        tracer.withSpan("outer", context: context) { outer in
            #expect(header(of: outer.context, tracer)?.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-") == true)
            tracer.withSpan("inner") { _ in }
        }
        let spans = queue.take()
        #expect(spans.map(\.name) == ["inner", "outer"])
        #expect(spans[1].parent == "b7ad6b7169203331")
        #expect(spans[0].parent == spans[1].identity.span)
        #expect(Set(spans.map(\.identity.trace)) == ["0af7651916cd43dd8448eb211c80319c"])
    }

    @Test(
        "a header that is not valid begins a new trace",
        arguments: ["", "00-0af7", "00-x-y-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-zz"])
    func badHeader(header: String) throws {
        let tracer = try tracer(SpanQueue(capacity: 1, batch: 1))
        var context = ServiceContext.topLevel
        tracer.extract(["traceparent": header], into: &context, using: Carrier())
        #expect(self.header(of: context, tracer) == nil)
    }

    @Test("spans that are not recorded, or for which there is no room, are dropped")
    func dropped() throws {
        let queue = SpanQueue(capacity: 2, batch: 2)
        try tracer(queue, "always_off").withSpan("unrecorded") { #expect(!$0.isRecording) }
        #expect(queue.take().isEmpty)
        for _ in 1...5 { try tracer(queue).withSpan("span") { #expect($0.isRecording) } }
        #expect(queue.takeDropped() == 3 && queue.takeDropped() == 0)
        #expect(queue.take().count == 2)
    }

    @Test("a span has times, attributes, events and its failure")
    func span() throws {
        struct Failure: Error, CustomStringConvertible { let description = "no luck" }
        let queue = SpanQueue(capacity: 10, batch: 10)
        let span = try tracer(queue).startSpan(
            "work", context: .topLevel, ofKind: .client, at: Moment(nanosecondsSinceEpoch: 5))
        span.attributes["text"] = "a"
        span.recordError(Failure(), attributes: ["n": 3], at: Moment(nanosecondsSinceEpoch: 6))
        span.end(at: Moment(nanosecondsSinceEpoch: 7))
        span.end(at: Moment(nanosecondsSinceEpoch: 8))
        let document = TelemetryDocument(resource: [.init(name: "service.name", value: "w")], version: "1")
        let json = document.traces(queue.take())
        let resource = json["resourceSpans"]?[0]
        #expect(resource?["resource"]?["attributes"] == [["key": "service.name", "value": ["stringValue": "w"]]])
        let spans = resource?["scopeSpans"]?[0]?["spans"]
        #expect(spans?.arrayValue?.count == 1)
        var only = try #require(spans?[0])
        #expect(only["traceId"]?.stringValue?.utf8.count == 32 && only["spanId"]?.stringValue?.utf8.count == 16)
        let event = only["events"]?[0]
        #expect(event?["timeUnixNano"] == "6" && event?["name"] == "exception")
        #expect(
            event?["attributes"]?.arrayValue?.contains(
                ["key": "exception.message", "value": ["stringValue": "no luck"]]) == true)
        #expect(event?["attributes"]?.arrayValue?.contains(["key": "n", "value": ["intValue": "3"]]) == true)
        for name in ["traceId", "spanId", "events"] { only[name] = nil }
        #expect(
            only == [
                "name": "work", "kind": 3, "startTimeUnixNano": "5", "endTimeUnixNano": "7",
                "attributes": [["key": "text", "value": ["stringValue": "a"]]],
                "status": ["code": 2, "message": ""],
            ])
    }

    @Test("metrics are sums, gauges and histograms, without numbers that JSON cannot represent")
    func metrics() throws {
        let registry = PrometheusRegistry([MetricDescription("h", "A histogram.", buckets: [1, 2])])
        registry.makeCounter(label: "c", dimensions: [("b", "2"), ("a", "1")]).increment(by: 7)
        registry.makeMeter(label: "g", dimensions: []).set(1.5)
        registry.makeMeter(label: "unlimited", dimensions: []).set(Double.infinity)
        let histogram = registry.makeRecorder(label: "h", dimensions: [], aggregate: true)
        for value in [0.5, 1.5, 9] { histogram.record(value) }
        let json = TelemetryDocument(resource: [], version: "1").metrics(registry.values, since: 1, at: 2)
        func point(_ others: JSONValue, labels: JSONValue = []) -> JSONValue {
            var point: JSONValue = ["attributes": labels, "startTimeUnixNano": "1", "timeUnixNano": "2"]
            for (name, value) in others.objectValue ?? [:] { point[name] = value }
            return point
        }
        let labels: JSONValue = [
            ["key": "a", "value": ["stringValue": "1"]], ["key": "b", "value": ["stringValue": "2"]],
        ]
        #expect(
            json["resourceMetrics"]?[0]?["scopeMetrics"]?[0]?["metrics"] == [
                [
                    "name": "c", "description": "c",
                    "sum": [
                        "dataPoints": [point(["asInt": "7"], labels: labels)], "aggregationTemporality": 2,
                        "isMonotonic": true,
                    ],
                ],
                ["name": "g", "description": "g", "gauge": ["dataPoints": [point(["asDouble": 1.5])]]],
                [
                    "name": "h", "description": "A histogram.",
                    "histogram": [
                        "dataPoints": [
                            point([
                                "count": "3", "sum": 11.0, "bucketCounts": ["1", "1", "1"],
                                "explicitBounds": [1.0, 2.0],
                            ])
                        ], "aggregationTemporality": 2,
                    ],
                ],
            ])
    }
}
