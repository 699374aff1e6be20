internal import PrefectJSON

extension Duration {
    /// The time span in ISO 8601, to the microsecond, as Prefect writes it. It consists of years of 365 days, days,
    /// hours, minutes and seconds; `PT0S` is the empty span.
    var iso8601: String {
        let magnitude = self < .zero ? .zero - self : self
        let (wholeSeconds, attoseconds) = magnitude.components
        let days = wholeSeconds / 86_400
        let (hours, minutes, seconds) = (wholeSeconds / 3600 % 24, wholeSeconds / 60 % 60, wholeSeconds % 60)
        var date = ""
        if days >= 365 { date += "\(days / 365)Y" }
        if days % 365 > 0 { date += "\(days % 365)D" }
        var time = ""
        if hours > 0 { time += "\(hours)H" }
        if minutes > 0 { time += "\(minutes)M" }
        let microseconds = attoseconds / 1_000_000_000_000
        if microseconds > 0 {
            var digits = String(String(1_000_000 + microseconds).dropFirst())
            while digits.hasSuffix("0") { digits.removeLast() }
            time += "\(seconds).\(digits)S"
        } else if seconds > 0 {
            time += "\(seconds)S"
        }
        if date.isEmpty && time.isEmpty { return "PT0S" }
        return (self < .zero ? "-P" : "P") + date + (time.isEmpty ? "" : "T" + time)
    }

    /// Reads a time span in ISO 8601 or as a clock; `nil` for anything else. Examples in ISO 8601 are `P1DT2H` and
    /// `-PT0.5S`; a month counts 30 days. A clock may include days: `01:30:00`, `3 days, 01:30:00`, `2d`.
    init?(settingText text: String) {
        var scanner = DurationScanner(text: text[...])
        let isNegative = scanner.takeSign()
        guard let seconds = scanner.take("P") ? scanner.isoSeconds() : scanner.clockSeconds(), scanner.text.isEmpty,
            let duration = Duration(checkedSeconds: isNegative ? -seconds : seconds)
        else { return nil }
        self = duration
    }
}

/// Reads the parts of a time span from the front of a text.
private struct DurationScanner {
    var text: Substring

    mutating func take(_ character: Character) -> Bool {
        guard text.first == character else { return false }
        text.removeFirst()
        return true
    }

    /// Takes a leading sign. Returns whether it is a minus.
    mutating func takeSign() -> Bool {
        if take("-") { return true }
        _ = take("+")
        return false
    }

    private mutating func digits() -> Substring? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        text.removeFirst(digits.count)
        return digits.isEmpty ? nil : digits
    }

    private mutating func number() -> Double? {
        guard let whole = digits() else { return nil }
        guard take(".") || take(",") else { return Double(whole) }
        guard let fraction = digits() else { return nil }
        return Double("\(whole).\(fraction)")
    }

    /// Reads the part after the `P`, in seconds.
    mutating func isoSeconds() -> Double? {
        guard text.count > 1 else { return nil }
        let day = 86_400.0
        var total = 0.0
        var units: [(Character, Double)] = [("Y", 365 * day), ("M", 30 * day), ("W", 7 * day), ("D", day)]
        var isTime = false
        while !text.isEmpty {
            if !isTime, take("T") {
                isTime = true
                units = [("H", 3600), ("M", 60), ("S", 1)]
                continue
            }
            guard let quantity = number(), let letter = text.popFirst(),
                let unit = units.first(where: { $0.0 == letter })
            else { return nil }
            total += quantity * unit.1
        }
        return total
    }

    /// Reads `[DAYS d|day|days][,] [HH:MM:SS[.fraction]]`, in seconds.
    mutating func clockSeconds() -> Double? {
        guard let first = digits() else { return nil }
        if text.first == ":" { return clock(hours: first) }
        while take(" ") {}
        let word = text.prefix { $0.isLetter }
        guard ["d", "day", "days"].contains(word.lowercased()), let days = Double(first) else { return nil }
        text.removeFirst(word.count)
        _ = take(",")
        while take(" ") {}
        if text.isEmpty { return days * 86_400 }
        guard let hours = digits(), let rest = clock(hours: hours) else { return nil }
        return days * 86_400 + rest
    }

    private mutating func clock(hours: Substring) -> Double? {
        guard let hours = Double(hours), take(":"), let minutes = digits(), minutes.count == 2,
            let wholeMinutes = Double(minutes), wholeMinutes < 60, take(":"), let seconds = number(), seconds < 60
        else { return nil }
        return hours * 3600 + wholeMinutes * 60 + seconds
    }
}
