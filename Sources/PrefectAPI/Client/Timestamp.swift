public import FoundationEssentials

/// Points in time as the API writes them.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Microseconds since 1970, UTC.
    public let microseconds: Int

    /// A time from microseconds since 1970.
    public init(microseconds: Int) { self.microseconds = microseconds }

    /// A time from a date.
    public init(_ date: Date) {
        let value = (date.timeIntervalSince1970 * 1_000_000).rounded()
        microseconds = Int(exactly: value) ?? (value < 0 ? Int.min / 2 : Int.max / 2)
    }

    /// The current time.
    public static var now: Timestamp { Timestamp(Date()) }

    /// The time as a date.
    public var date: Date { Date(timeIntervalSince1970: Double(microseconds) / 1_000_000) }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    /// A time so many seconds later.
    public func adding(seconds: Double) -> Timestamp {
        Timestamp(microseconds: microseconds + Int((max(-1e12, min(1e12, seconds)) * 1_000_000).rounded()))
    }

    /// The seconds from another time to this one.
    public func seconds(since other: Timestamp) -> Double { Double(microseconds - other.microseconds) / 1_000_000 }

    /// A time from its parts in UTC; `nil` when there is no such time.
    public init?(
        year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, microsecond: Int = 0
    ) {
        guard (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day), (0...24).contains(hour),
            (0...59).contains(minute), (0...60).contains(second), (0...999_999).contains(microsecond),
            hour < 24 || (minute, second, microsecond) == (0, 0, 0)
        else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        guard Self.civil(days: days) == (year, month, day) else { return nil }
        microseconds = ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + microsecond
    }

    /// Reads ISO 8601 as the API and Python write it: `T` or a space in the middle, with or without a fraction, with
    /// `Z`, an offset, or no zone at all, which means UTC.
    public init?(_ text: String) {
        var scanner = Scanner(Array(text.utf8))
        guard let year = scanner.number(digits: 4), scanner.skip("-"), let month = scanner.number(digits: 2),
            scanner.skip("-"), let day = scanner.number(digits: 2)
        else { return nil }
        var clock = (hour: 0, minute: 0, second: 0, microsecond: 0)
        var offset = 0
        if !scanner.isAtEnd {
            guard scanner.skip("T") || scanner.skip(" ") || scanner.skip("t"),
                let hour = scanner.number(digits: 2), scanner.skip(":"), let minute = scanner.number(digits: 2)
            else { return nil }
            clock = (hour, minute, 0, 0)
            if scanner.skip(":") {
                guard let second = scanner.number(digits: 2) else { return nil }
                clock.second = second
                if scanner.skip(".") || scanner.skip(",") {
                    guard let fraction = scanner.fraction() else { return nil }
                    clock.microsecond = fraction
                }
            }
            guard let minutes = scanner.zone() else { return nil }
            offset = minutes
        }
        guard scanner.isAtEnd,
            let local = Timestamp(
                year: year, month: month, day: day, hour: clock.hour, minute: clock.minute, second: clock.second,
                microsecond: clock.microsecond)
        else { return nil }
        microseconds = local.microseconds - offset * 60_000_000
    }

    /// The time as `2026-01-02T03:04:05.678901Z`.
    public var iso8601: String { text(separator: "T", zone: "Z", alwaysFraction: true) }

    /// The time as Python's `str(datetime)` in UTC: `2026-01-02 03:04:05.678901+00:00`, without a fraction of zero.
    public var pythonText: String { text(separator: " ", zone: "+00:00", alwaysFraction: false) }

    private func text(separator: String, zone: String, alwaysFraction: Bool) -> String {
        let (seconds, fraction) = microseconds.quotientAndRemainder(dividingByFloor: 1_000_000)
        let (days, rest) = seconds.quotientAndRemainder(dividingByFloor: 86_400)
        let (year, month, day) = Self.civil(days: days)
        let date = "\(year.padded(4))-\(month.padded(2))-\(day.padded(2))"
        let time = "\((rest / 3600).padded(2)):\((rest / 60 % 60).padded(2)):\((rest % 60).padded(2))"
        let decimals = fraction == 0 && !alwaysFraction ? "" : ".\(fraction.padded(6))"
        return date + separator + time + decimals + zone
    }

    /// Days since 1970 of a date in the proleptic Gregorian calendar.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Timestamp {
    private struct Scanner {
        private let bytes: [UInt8]
        private var position = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { position == bytes.count }

        mutating func skip(_ character: Character) -> Bool {
            guard position < bytes.count, bytes[position] == character.asciiValue else { return false }
            position += 1
            return true
        }

        mutating func number(digits: Int) -> Int? {
            guard position + digits <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[position..<position + digits] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            position += digits
            return value
        }

        /// Microseconds of a fraction of any length.
        mutating func fraction() -> Int? {
            var value = 0
            var digits = 0
            while let digit = number(digits: 1) {
                if digits < 6 { value = value * 10 + digit }
                digits += 1
            }
            guard digits > 0 else { return nil }
            while digits < 6 {
                value *= 10
                digits += 1
            }
            return value
        }

        /// Minutes east of UTC.
        mutating func zone() -> Int? {
            if isAtEnd || skip("Z") || skip("z") { return 0 }
            let sign = skip("+") ? 1 : skip("-") ? -1 : 0
            guard sign != 0, let hours = number(digits: 2) else { return nil }
            _ = skip(":")
            let minutes = isAtEnd ? 0 : number(digits: 2)
            guard let minutes else { return nil }
            return sign * (hours * 60 + minutes)
        }
    }
}

extension Int {
    fileprivate func padded(_ width: Int) -> String {
        let digits = String(self)
        return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
    }

    fileprivate func quotientAndRemainder(dividingByFloor divisor: Int) -> (quotient: Int, remainder: Int) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
