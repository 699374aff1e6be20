public import FoundationEssentials

/// A moment as Prefect's API and Python write it, to the microsecond, from the year 1 to the year 9999. Every value has
/// a text, and that text reads back as the same value.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Microseconds since 1970-01-01 in UTC.
    public let microseconds: Int

    /// The first moment of the year 1.
    package static let earliest = Timestamp(microseconds: -62_135_596_800_000_000)
    /// The last microsecond of the year 9999.
    package static let latest = Timestamp(microseconds: 253_402_300_799_999_999)

    /// The current time.
    public static var now: Timestamp { Timestamp(Date()) }

    /// A moment from microseconds since 1970. A value out of range becomes ``earliest`` or ``latest``.
    public init(microseconds: Int) {
        self.microseconds = min(max(microseconds, -62_135_596_800_000_000), 253_402_300_799_999_999)
    }

    /// A moment from a date. A date out of range becomes ``earliest`` or ``latest``.
    public init(_ date: Date) {
        let value = (date.timeIntervalSince1970 * 1_000_000).rounded()
        self.init(microseconds: Int(exactly: value) ?? (value > 0 ? Int.max : Int.min))
    }

    /// A moment from its parts in UTC; `nil` when there is no such time.
    package init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, microsecond: Int = 0) {
        guard (1...9999).contains(year), (1...12).contains(month), (1...Self.days(in: month, of: year)).contains(day),
            (0..<24).contains(hour), (0..<60).contains(minute), (0..<60).contains(second),
            (0..<1_000_000).contains(microsecond)
        else { return nil }
        let days = Self.daysSinceEpoch(year: year, month: month, day: day)
        self.init(microseconds: (days * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000 + microsecond)
    }

    /// Reads a moment from a text; `nil` when the text is not valid.
    ///
    /// The form is `2026-02-03T04:05:06`, with `T`, a space, `t` or `_` in between. Seconds may be missing or have a
    /// fraction, of which microseconds are kept. `Z` or an offset like `+02:00`, `+0200` or `+02` may follow; without
    /// one, the time is in UTC. A date alone, such as `2026-02-03`, is its first moment in UTC.
    public init?(_ text: String) {
        guard let (local, offset) = Self.read(text) else { return nil }
        let moment = local.microseconds - offset * 1_000_000
        // The offset can lead outside the years 1 to 9999.
        guard (Self.earliest.microseconds...Self.latest.microseconds).contains(moment) else { return nil }
        self.init(microseconds: moment)
    }

    /// Reads a moment like ``init(_:)-(String)``, but only from a text in UTC.
    package init?(utc text: String) {
        guard let (local, offset) = Self.read(text), offset == 0 else { return nil }
        self = local
    }

    /// The moment as a date.
    public var date: Date { Date(timeIntervalSince1970: Double(microseconds) / 1_000_000) }

    /// Orders timestamps by their time.
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    /// The moment this many seconds later, at most ``latest``; with a negative number, at least ``earliest``.
    public func adding(seconds: Double) -> Timestamp {
        // The bound is longer than the whole range of years, and small enough for the sum.
        let bounded = seconds.isNaN ? 0 : max(-1e12, min(1e12, seconds))
        return Timestamp(microseconds: microseconds + Int((bounded * 1_000_000).rounded()))
    }

    /// The seconds from another moment to this one.
    public func seconds(since other: Timestamp) -> Double { Double(microseconds - other.microseconds) / 1_000_000 }
}

// MARK: - Text

extension Timestamp {
    /// The moment in UTC as the API writes it: `2026-02-03T04:05:06.789000Z`, without a fraction when it is zero.
    public var apiFormat: String { "\(text(separator: "T"))Z" }

    /// The moment in UTC as Python's `isoformat` writes it: `2026-02-03T04:05:06.789000+00:00`, without a fraction when
    /// it is zero.
    package var pythonISOFormat: String { "\(text(separator: "T"))+00:00" }

    /// The moment in UTC as Python's `str` writes it: `2026-02-03 04:05:06.789000+00:00`, without a fraction when it is
    /// zero.
    package var pythonText: String { "\(text(separator: " "))+00:00" }

    /// The moment in UTC with milliseconds, which are rounded down: `2026-02-03T04:05:06.789Z`.
    package var millisecondFormat: String {
        let (seconds, fraction) = Self.floorDivide(microseconds, 1_000_000)
        let whole = Timestamp(microseconds: seconds * 1_000_000)
        return "\(whole.text(separator: "T")).\(Self.padded(fraction / 1000, 3))Z"
    }

    /// Seconds since 1970-01-01 in UTC, rounded down.
    package var wholeSeconds: Int { Self.floorDivide(microseconds, 1_000_000).quotient }

    private func text(separator: String) -> String {
        let (seconds, fraction) = Self.floorDivide(microseconds, 1_000_000)
        let (days, time) = Self.floorDivide(seconds, 86_400)
        let (year, month, day) = Self.date(daysSinceEpoch: days)
        let date = "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))"
        let clock = [time / 3600, time / 60 % 60, time % 60].map { Self.padded($0, 2) }.joined(separator: ":")
        return date + separator + clock + (fraction == 0 ? "" : ".\(Self.padded(fraction, 6))")
    }

    private static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// The moment as if the text were in UTC, and the offset of the text in seconds east of UTC.
    private static func read(_ text: String) -> (local: Timestamp, offset: Int)? {
        var reader = Reader(bytes: Array(text.utf8))
        guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
            let day = reader.number(2)
        else { return nil }
        var clock = (hour: 0, minute: 0, second: 0, microsecond: 0)
        var offset = 0
        if !reader.isAtEnd {
            guard reader.skip("Tt _"), let hour = reader.number(2), reader.skip(":"), let minute = reader.number(2)
            else { return nil }
            clock = (hour, minute, 0, 0)
            if reader.skip(":") {
                guard let second = reader.number(2) else { return nil }
                clock.second = second
                if reader.skip(".,") {
                    guard let fraction = reader.fraction() else { return nil }
                    clock.microsecond = fraction
                }
            }
            guard let seconds = reader.offset(), reader.isAtEnd else { return nil }
            offset = seconds
        }
        let local = Timestamp(
            year: year, month: month, day: day, hour: clock.hour, minute: clock.minute, second: clock.second,
            microsecond: clock.microsecond)
        return local.map { ($0, offset) }
    }
}

// MARK: - The calendar

extension Timestamp {
    private static func floorDivide(_ value: Int, _ divisor: Int) -> (quotient: Int, remainder: Int) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    // Years begin in March here, so that a leap day is the last day of its year. An era has 400 years.

    private static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
        let (era, yearOfEra) = floorDivide(month <= 2 ? year - 1 : year, 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func date(daysSinceEpoch days: Int) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}

extension Timestamp {
    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        var isAtEnd: Bool { position == bytes.count }

        private var digit: Int? {
            guard position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) else {
                return nil
            }
            return Int(bytes[position] - UInt8(ascii: "0"))
        }

        /// Reads exactly this many digits.
        mutating func number(_ width: Int) -> Int? {
            var value = 0
            for _ in 0..<width {
                guard let digit else { return nil }
                value = value * 10 + digit
                position += 1
            }
            return value
        }

        /// Skips one byte if it is one of these characters.
        mutating func skip(_ characters: String) -> Bool {
            guard position < bytes.count, characters.utf8.contains(bytes[position]) else { return false }
            position += 1
            return true
        }

        /// Reads the digits of a fraction, as microseconds.
        mutating func fraction() -> Int? {
            var value = 0
            var count = 0
            while let digit {
                if count < 6 { value = value * 10 + digit }
                count += 1
                position += 1
            }
            guard count > 0 else { return nil }
            for _ in 0..<max(0, 6 - count) { value *= 10 }
            return value
        }

        /// Reads an offset in seconds east of UTC; zero when there is no offset.
        mutating func offset() -> Int? {
            if isAtEnd || skip("Zz") { return 0 }
            let isWest = position < bytes.count && bytes[position] == UInt8(ascii: "-")
            guard skip("+-"), let hours = number(2), hours < 24 else { return nil }
            var minutes = 0
            if !isAtEnd {
                _ = skip(":")
                guard let value = number(2), value < 60 else { return nil }
                minutes = value
            }
            let seconds = hours * 3600 + minutes * 60
            return isWest ? -seconds : seconds
        }
    }
}
