public import JSON

/// The trace that a flow run is part of, in the form of W3C Trace Context.
///
/// Prefect keeps it in a label of the run: a flow that starts a deployment's run writes it there, and the run's engine takes
/// it from there. The worker's part is to hand it on in the environment, where OpenTelemetry's own carriers look for it.
public struct TraceContext: Sendable, Hashable {
    /// The label of flow runs.
    static let label = "__OTEL_TRACEPARENT"

    /// `traceparent`: version, trace, parent span and flags.
    public let traceparent: String

    /// A context; `nil` for what is none, as the specification has it.
    public init?(traceparent: String) {
        let parts = traceparent.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts.prefix(4).map(\.utf8.count) == [2, 32, 16, 2], traceparent.utf8.count <= 512,
            parts.prefix(4).allSatisfy({ $0.utf8.allSatisfy(Self.isHexadecimal) }), parts[0] != "ff",
            parts[0] != "00" || parts.count == 4, traceparent.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
            parts[1...2].allSatisfy({ $0.utf8.contains { $0 != UInt8(ascii: "0") } })
        else { return nil }
        self.traceparent = traceparent
    }

    /// The context that a flow run has been given.
    public init?(ofFlowRun flowRun: JSONValue) {
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
