package import FoundationEssentials
package import HTTPTransport
internal import PrefectJSON

/// Reads a `Retry-After` header: seconds, with or without a fraction, or an HTTP date.
package enum RetryAfter {
    /// The pause that an answer requests; nil when it requests none.
    package static func read(_ headers: HTTPHeaders, now: Date = Date()) -> Duration? {
        headers["Retry-After"].flatMap { parse($0, now: now) }
    }

    /// The time to wait; nil when the header cannot be read. A date in the past gives zero.
    package static func parse(_ text: String, now: Date) -> Duration? {
        var trimmed = text[...].drop(while: \.isWhitespace)
        while trimmed.last?.isWhitespace == true { trimmed.removeLast() }
        // Swift's `Double` also reads hexadecimal.
        if let seconds = Double(trimmed), trimmed.allSatisfy({ "0123456789.+-eE".contains($0) }) {
            return .pause(seconds: seconds)
        }
        guard let date = httpDate(trimmed) else { return nil }
        return .pause(seconds: date.timeIntervalSince(now))
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    private static func httpDate(_ text: Substring) -> Date? {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let parts = text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == ":" })
        guard parts.count == 8, parts[7] == "GMT", let month = months.firstIndex(of: String(parts[2])),
            let day = Int(parts[1]), let year = Int(parts[3]), let hour = Int(parts[4]), let minute = Int(parts[5]),
            let second = Int(parts[6])
        else { return nil }
        return Timestamp(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)?.date
    }
}
