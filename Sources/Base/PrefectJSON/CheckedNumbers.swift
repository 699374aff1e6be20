/// Conversions of external numbers to durations. Swift's own conversions end the process when a number is not finite or
/// too large. Every number from an API, a setting, a file or a flag uses these conversions instead.
extension Duration {
    /// The longest duration that an external number may give, in seconds. It leaves room for arithmetic.
    private static let longest = 1e13

    /// The longest pause that external input may request, in seconds: about thirty years. System clocks end at about
    /// three hundred years.
    package static let longestPause = 1e9

    /// A duration from a number of seconds, to the microsecond; `nil` when the number is not finite or too large.
    package init?(checkedSeconds seconds: Double) {
        guard seconds.isFinite, seconds.magnitude <= Self.longest else { return nil }
        let whole = seconds.rounded(.towardZero)
        let microseconds = ((seconds - whole) * 1_000_000).rounded(.toNearestOrEven)
        self = .seconds(Int64(whole)) + .microseconds(Int64(microseconds))
    }

    /// A pause of this many seconds, limited to the range. NaN becomes the lower bound.
    package static func pause(seconds: Double, in range: ClosedRange<Double> = 0...longestPause) -> Duration {
        let bounded = seconds.isNaN ? range.lowerBound : min(max(seconds, range.lowerBound), range.upperBound)
        return Duration(checkedSeconds: bounded) ?? .zero
    }

    /// The duration of a text that is a number of seconds within a range, as in flags and variables; `nil` for any
    /// other text.
    package init?(secondsText text: String, in range: ClosedRange<Double>) {
        guard let seconds = Double(text), range.contains(seconds) else { return nil }
        self.init(checkedSeconds: seconds)
    }
}
