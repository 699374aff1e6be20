package import PrefectJSON

/// The trace that a flow run is part of, in the form of W3C Trace Context.
///
/// Prefect keeps the trace in a label of the run. A flow that starts a deployment's run writes the label, and the run's
/// engine reads it. The worker passes the trace on in the environment, where OpenTelemetry's own carriers look for it.
public struct TraceContext: Sendable, Hashable {
    /// The label of flow runs that holds the trace.
    static let label = "__OTEL_TRACEPARENT"

    /// `traceparent`: version, trace, parent span and flags.
    public let traceparent: String

    /// Returns `nil` when the text is not valid by the specification.
    public init?(traceparent: String) {
        let parts = traceparent.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts.prefix(4).map(\.utf8.count) == [2, 32, 16, 2], traceparent.utf8.count <= 512,
            parts.prefix(4).allSatisfy({ $0.utf8.allSatisfy(Self.isHexadecimal) }), parts[0] != "ff",
            parts[0] != "00" || parts.count == 4, traceparent.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
            parts[1...2].allSatisfy({ $0.utf8.contains { $0 != UInt8(ascii: "0") } })
        else { return nil }
        self.traceparent = traceparent
    }

    /// The context in the label of a flow run; `nil` when there is no valid one.
    package init?(ofFlowRun flowRun: JSONValue) {
        guard let text = flowRun["labels"]?[Self.label]?.stringValue else { return nil }
        self.init(traceparent: text)
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
        default: false
        }
    }
}
