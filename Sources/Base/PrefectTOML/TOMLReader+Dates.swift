extension TOMLReader {
    /// Reads a date, a time, or both, of which the first word has been consumed. Returns `nil` if the word looks like
    /// none.
    mutating func readDate(beginning word: ArraySlice<UInt8>, at start: Int) throws(TOMLError) -> String? {
        if Self.matches(word, "00:") {
            guard let time = Self.time(word, offset: false) else { throw failure(Self.noTime, at: start) }
            return time
        }
        guard Self.matches(word, "0000-00-00") else { return nil }
        guard Self.isInCalendar(word) else { throw failure("the calendar has no such date", at: start) }
        let date = String(decoding: word.prefix(10), as: UTF8.self)
        var clock = word.dropFirst(10)
        if clock.isEmpty {
            let mayFollow = position + 1
            guard next == UInt8(ascii: " "), mayFollow < bytes.count, Self.isDigit(bytes[mayFollow]) else {
                return date
            }
            position += 1
            clock = readWord()
            guard Self.matches(clock, "00") else {
                throw failure("an hour of two digits is expected after the date", at: mayFollow)
            }
        } else {
            guard clock.first == UInt8(ascii: "T") || clock.first == UInt8(ascii: "t") else {
                throw refusal(of: word, at: start)
            }
            clock = clock.dropFirst()
            guard Self.matches(clock, "0") else {
                throw failure("an hour is expected after the date", at: clock.startIndex)
            }
        }
        guard let time = Self.time(clock, offset: true) else { throw failure(Self.noTime, at: clock.startIndex) }
        return "\(date)T\(time)"
    }

    private static var noTime: String {
        "a time has the form hh:mm:ss, up to 23:59:59, with an offset such as +01:00 only after a date"
    }

    /// Whether the bytes begin with a form, in which `0` is any digit.
    private static func matches(_ bytes: ArraySlice<UInt8>, _ form: StaticString) -> Bool {
        form.withUTF8Buffer { form in
            bytes.count >= form.count
                && zip(bytes, form).allSatisfy { $1 == UInt8(ascii: "0") ? isDigit($0) : $0 == $1 }
        }
    }

    /// The number of two digits at an offset.
    private static func pair(_ bytes: ArraySlice<UInt8>, at offset: Int) -> Int {
        bytes.dropFirst(offset).prefix(2).reduce(0) { $0 * 10 + Int($1) - Int(UInt8(ascii: "0")) }
    }

    private static func isInCalendar(_ date: ArraySlice<UInt8>) -> Bool {
        let year = pair(date, at: 0) * 100 + pair(date, at: 2)
        let isLeap = year.isMultiple(of: 4) && !year.isMultiple(of: 100) || year.isMultiple(of: 400)
        let month = pair(date, at: 5)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        // Python's dates begin with the year 1.
        return year >= 1 && (1...12).contains(month) && (1...days[month - 1]).contains(pair(date, at: 8))
    }

    /// The time in its shortest form, with up to nine digits after the second.
    ///
    /// - Parameter offset: Whether an offset from UTC may follow.
    private static func time(_ bytes: ArraySlice<UInt8>, offset: Bool) -> String? {
        guard matches(bytes, "00:00:00"), isOnClock(bytes), pair(bytes, at: 6) < 60 else { return nil }
        var time = String(decoding: bytes.prefix(8), as: UTF8.self)
        var rest = bytes.dropFirst(8)
        if rest.first == UInt8(ascii: ".") {
            let digits = rest.dropFirst().prefix { isDigit($0) }
            guard !digits.isEmpty else { return nil }
            rest = rest[digits.endIndex...]
            var fraction = digits.prefix(9)
            while fraction.last == UInt8(ascii: "0") { fraction.removeLast() }
            if !fraction.isEmpty { time += "." + String(decoding: fraction, as: UTF8.self) }
        }
        if rest.isEmpty { return time }
        guard offset else { return nil }
        if rest.count == 1, rest.first == UInt8(ascii: "Z") || rest.first == UInt8(ascii: "z") { return time + "Z" }
        guard rest.count == 6, matches(rest, "+00:00") || matches(rest, "-00:00"), isOnClock(rest.dropFirst()) else {
            return nil
        }
        let text = String(decoding: rest, as: UTF8.self)
        return time + (text.hasSuffix("00:00") ? "Z" : text)
    }

    /// Whether the bytes of the form `00:00` are an hour and a minute of a day.
    private static func isOnClock(_ bytes: ArraySlice<UInt8>) -> Bool {
        pair(bytes, at: 0) < 24 && pair(bytes, at: 3) < 60
    }
}
