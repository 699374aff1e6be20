internal import OrderedCollections
internal import PrefectJSON
internal import Tracing
internal import WorkerMetrics

/// The requests of OTLP/HTTP in the JSON form of `opentelemetry/proto/collector`.
struct TelemetryDocument: Sendable {
    /// The attributes of the program.
    let resource: [TelemetrySettings.Header]
    /// The version of the program.
    let version: String

    private var resourceJSON: JSONValue {
        ["attributes": .array(resource.map { attribute($0.name, ["stringValue": .string($0.value)]) })]
    }

    private var scope: JSONValue { ["name": "prefect-worker", "version": .string(version)] }

    // MARK: Spans

    /// `ExportTraceServiceRequest`.
    func traces(_ spans: [EndedSpan]) -> JSONValue {
        let scopeSpans: JSONValue = ["scope": scope, "spans": .array(spans.map(json))]
        return ["resourceSpans": [["resource": resourceJSON, "scopeSpans": [scopeSpans]]]]
    }

    private func json(_ span: EndedSpan) -> JSONValue {
        var json: OrderedDictionary<String, JSONValue> = [
            "traceId": .string(span.identity.trace), "spanId": .string(span.identity.span),
            "name": .string(span.name), "kind": .int(number(of: span.kind)),
            "startTimeUnixNano": .string("\(span.start)"), "endTimeUnixNano": .string("\(max(span.start, span.end))"),
            "attributes": attributes(span.attributes),
        ]
        if let parent = span.parent { json["parentSpanId"] = .string(parent) }
        if !span.events.isEmpty {
            json["events"] = .array(
                span.events.map { event in
                    [
                        "timeUnixNano": .string("\(event.nanosecondsSinceEpoch)"), "name": .string(event.name),
                        "attributes": attributes(event.attributes),
                    ]
                })
        }
        if !span.links.isEmpty {
            json["links"] = .array(
                span.links.compactMap { link in
                    link.context.span.map {
                        [
                            "traceId": .string($0.trace), "spanId": .string($0.span),
                            "attributes": attributes(link.attributes),
                        ]
                    }
                })
        }
        if let status = span.status {
            json["status"] = [
                "code": status.code == .error ? 2 : 1, "message": .string(status.message ?? ""),
            ]
        }
        return .object(json)
    }

    private func number(of kind: SpanKind) -> Int {
        switch kind {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }

    private func attributes(_ attributes: SpanAttributes) -> JSONValue {
        var list: [JSONValue] = []
        attributes.forEach { name, value in list.append(attribute(name, self.value(value))) }
        return .array(list)
    }

    private func attribute(_ name: String, _ value: JSONValue) -> JSONValue { ["key": .string(name), "value": value] }

    private func value(_ value: SpanAttribute) -> JSONValue {
        switch value {
        case .int32(let number): ["intValue": .string("\(number)")]
        case .int64(let number): ["intValue": .string("\(number)")]
        case .double(let number) where number.isFinite: ["doubleValue": .double(number)]
        case .bool(let truth): ["boolValue": .bool(truth)]
        case .string(let text): ["stringValue": .string(text)]
        case .stringConvertible(let value): ["stringValue": .string("\(value)")]
        case .int32Array(let numbers): array(numbers.map { ["intValue": .string("\($0)")] })
        case .int64Array(let numbers): array(numbers.map { ["intValue": .string("\($0)")] })
        case .boolArray(let truths): array(truths.map { ["boolValue": .bool($0)] })
        case .stringArray(let texts): array(texts.map { ["stringValue": .string($0)] })
        case .doubleArray(let numbers): array(numbers.map { ["stringValue": .string("\($0)")] })
        case .stringConvertibleArray(let values): array(values.map { ["stringValue": .string("\($0)")] })
        default: ["stringValue": .string("\(value)")]
        }
    }

    private func array(_ values: [JSONValue]) -> JSONValue { ["arrayValue": ["values": .array(values)]] }

    // MARK: Metrics

    /// `ExportMetricsServiceRequest`. The times are nanoseconds since 1970: the start of the program, and now.
    func metrics(_ metrics: [MetricValues], since start: UInt64, at now: UInt64) -> JSONValue {
        let list = metrics.compactMap { json($0, Times(start: start, now: now)) }
        return [
            "resourceMetrics": [
                ["resource": resourceJSON, "scopeMetrics": [["scope": scope, "metrics": .array(list)]]]
            ]
        ]
    }

    private struct Times {
        let start: UInt64
        let now: UInt64
    }

    /// The temporality of sums that count from the start of the program.
    private static let cumulative: JSONValue = 2

    private func json(_ metric: MetricValues, _ times: Times) -> JSONValue? {
        let points = metric.series.compactMap { point($0, times) }
        guard !points.isEmpty else { return nil }
        let data: (String, JSONValue) =
            switch metric.kind {
            case .counter:
                (
                    "sum",
                    [
                        "dataPoints": .array(points), "aggregationTemporality": Self.cumulative, "isMonotonic": true,
                    ]
                )
            case .gauge: ("gauge", ["dataPoints": .array(points)])
            case .histogram:
                ("histogram", ["dataPoints": .array(points), "aggregationTemporality": Self.cumulative])
            }
        return .object([
            "name": .string(metric.name), "description": .string(metric.help), data.0: data.1,
        ])
    }

    /// A data point; `nil` for a number that JSON cannot represent.
    private func point(_ series: MetricValues.Series, _ times: Times) -> JSONValue? {
        var json: OrderedDictionary<String, JSONValue> = [
            "attributes": .array(
                series.labels.map { attribute($0.name, ["stringValue": .string($0.value)]) }),
            "startTimeUnixNano": .string("\(times.start)"), "timeUnixNano": .string("\(times.now)"),
        ]
        switch series.value {
        case .count(let number): json["asInt"] = .string("\(number)")
        case .number(let number):
            guard number.isFinite else { return nil }
            json["asDouble"] = .double(number)
        case .distribution(let distribution):
            json["count"] = .string("\(distribution.counts.reduce(0, &+))")
            json["sum"] = .double(distribution.sum)
            json["bucketCounts"] = .array(distribution.counts.map { .string("\($0)") })
            json["explicitBounds"] = .array(distribution.bounds.map(JSONValue.double))
        }
        return .object(json)
    }
}
