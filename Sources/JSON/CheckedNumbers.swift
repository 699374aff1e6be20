/// Numbers from outside that become time spans. Swift's own conversions end the process where a number is not finite or
/// too large; every number that an API, a setting, a file or a flag gives goes through these instead.
extension Duration {
    /// The longest time span that a number from outside may name, in seconds; it leaves room for arithmetic.
    private static let longest = 1e13

    /// The longest pause that anything from outside may ask for, in seconds: some thirty years. Clocks of the system end
    /// at some three hundred.
    public static let longestPause = 1e9

    /// A number of seconds to the microsecond; `nil` where it is not finite or out of reach.
    public init?(checkedSeconds seconds: Double) {
        guard seconds.isFinite, seconds.magnitude <= Self.longest else { return nil }
        let whole = seconds.rounded(.towardZero)
        let microseconds = ((seconds - whole) * 1_000_000).rounded(.toNearestOrEven)
        self = .seconds(Int64(whole)) + .microseconds(Int64(microseconds))
    }

    /// A pause of so many seconds: the nearest that is in the range. NaN counts as its lower end.
    public static func pause(seconds: Double, in range: ClosedRange<Double> = 0...longestPause) -> Duration {
        let bounded = seconds.isNaN ? range.lowerBound : min(max(seconds, range.lowerBound), range.upperBound)
        return Duration(checkedSeconds: bounded) ?? .zero
    }

    /// The time span of a text that is a number of seconds within a range, as flags and variables have it; `nil` for
    /// anything else.
    public init?(secondsText text: String, in range: ClosedRange<Double>) {
        guard let seconds = Double(text), range.contains(seconds) else { return nil }
        self.init(checkedSeconds: seconds)
    }
}
