/// Decides which traces are recorded, by the rules of OpenTelemetry's samplers.
package struct Sampler: Sendable, Hashable {
    /// The part of the traces that is recorded, from 0 to 1.
    package var ratio: Double
    /// Whether a trace that has begun elsewhere is recorded if it is recorded there.
    package var followsParent: Bool

    /// Reads the value of `OTEL_TRACES_SAMPLER` and of `OTEL_TRACES_SAMPLER_ARG`.
    init(name: String, argument: String?) throws(TelemetrySettings.Problem) {
        let base = name.hasPrefix("parentbased_") ? String(name.dropFirst("parentbased_".count)) : name
        followsParent = base != name
        switch base {
        case "always_on": ratio = 1
        case "always_off": ratio = 0
        case "traceidratio":
            guard let number = Double(argument ?? "1"), (0...1).contains(number) else {
                throw .init(
                    description: "OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not '\(argument ?? "")'")
            }
            ratio = number
        default:
            throw .init(
                description: "OTEL_TRACES_SAMPLER must be always_on, always_off or traceidratio, alone or after "
                    + "parentbased_, not '\(name)'")
        }
    }

    /// Whether a span is recorded.
    ///
    /// - Parameters:
    ///   - parent: Whether the trace is recorded where it comes from; `nil` for a new trace.
    ///   - random: 64 bits of the trace's identifier.
    func records(parent: Bool?, random: UInt64) -> Bool {
        if followsParent, let parent { return parent }
        // The comparison needs 53 bits, which a Double represents exactly.
        return Double(random >> 11) < ratio * 0x1p53
    }
}
