internal import FoundationEssentials

/// A moment as the API writes it: microseconds since 1970 in UTC, compared and written without rounding.
struct WireTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    let microseconds: Int64

    init(microseconds: Int64) { self.microseconds = microseconds }

    init(_ date: Date) {
        microseconds = Int64((date.timeIntervalSince1970 * 1_000_000).rounded())
    }

    var date: Date { Date(timeIntervalSince1970: Double(microseconds) / 1_000_000) }

    static func < (left: WireTime, right: WireTime) -> Bool { left.microseconds < right.microseconds }

    func adding(seconds: Double) -> WireTime { WireTime(microseconds: microseconds + Int64(seconds * 1_000_000)) }

    func seconds(since other: WireTime) -> Double { Double(microseconds - other.microseconds) / 1_000_000 }

    /// `2026-02-03T04:05:06.789000Z`, the form of the server's answers.
    var description: String {
        let (days, inDay) = microseconds.flooredDivision(by: 86_400_000_000)
        let (year, month, day) = Self.civil(fromDays: days)
        let seconds = inDay / 1_000_000
        let fraction = String(inDay % 1_000_000 + 1_000_000).dropFirst()
        return "\(year)-\(two(month))-\(two(day))T\(two(seconds / 3600)):\(two(seconds / 60 % 60)):\(two(seconds % 60))"
            + ".\(fraction)Z"
    }

    private func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : String(number) }

    /// Parses `2026-02-03T04:05:06.789Z`. Accepts a space instead of the `T`, any number of fraction digits, and
    /// offsets.
    init?(parsing text: String) {
        let bytes = Array(text.utf8)
        func number(_ start: Int, _ count: Int) -> Int64? {
            guard start + count <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[start..<start + count] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            return value
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2),
            let minute = number(14, 2), let second = number(17, 2), (1...12).contains(month), (1...31).contains(day),
            bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: " ")
        else { return nil }
        var position = 19
        var fraction: Int64 = 0
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            var scale: Int64 = 100_000
            while let digit = number(position, 1) {
                fraction += digit * scale
                scale /= 10
                position += 1
            }
        }
        var offset: Int64 = 0
        if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
            guard let hours = number(position + 1, 2), let minutes = number(position + 4, 2) else { return nil }
            offset = (hours * 60 + minutes) * 60 * (bytes[position] == UInt8(ascii: "+") ? 1 : -1)
        } else if position < bytes.count, bytes[position] != UInt8(ascii: "Z") {
            return nil
        }
        let seconds = Self.days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset
        microseconds = seconds * 1_000_000 + fraction
    }

    // Days between 1970-01-01 and a date of the proleptic Gregorian calendar. Years begin in March here, so that the
    // leap day is the last day of its year.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = shifted.flooredDivision(by: 400)
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).flooredDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9)
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
