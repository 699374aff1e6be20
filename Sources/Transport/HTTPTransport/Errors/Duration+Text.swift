extension Duration {
    /// The duration as text for messages, such as "60 s" or "0.25 s".
    package var secondsText: String {
        let (seconds, attoseconds) = components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        if milliseconds == 0 { return "\(seconds) s" }
        var fraction = String(1000 + milliseconds).dropFirst()
        while fraction.last == "0" { fraction = fraction.dropLast() }
        return "\(seconds).\(fraction) s"
    }

    /// The duration rounded up, never negative. It fits into libcurl's `long` milliseconds and into the argument of
    /// `poll`.
    var inMilliseconds: Int {
        let (seconds, attoseconds) = components
        if seconds < 0 || attoseconds < 0 { return 0 }
        if seconds >= 2_000_000 { return 2_000_000_000 }
        return Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
