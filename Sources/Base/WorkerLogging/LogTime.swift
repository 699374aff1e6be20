internal import Glibc

/// A moment of the wall clock, in whole milliseconds, as log lines show it.
public struct LogTime: Sendable, Hashable {
    /// Seconds since 1970-01-01T00:00:00Z.
    public var seconds: Int
    /// Milliseconds within the second, 0 to 999.
    public var milliseconds: Int

    /// - Parameters:
    ///   - seconds: Seconds since 1970-01-01T00:00:00Z.
    ///   - milliseconds: Milliseconds within the second, 0 to 999.
    public init(seconds: Int, milliseconds: Int) {
        self.seconds = seconds
        self.milliseconds = milliseconds
    }

    /// The current time.
    public static func now() -> LogTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return LogTime(seconds: time.tv_sec, milliseconds: time.tv_nsec / 1_000_000)
    }

    /// `HH:MM:SS.mmm` in local time.
    var localTimeOfDay: String {
        var seconds = time_t(self.seconds)
        var parts = tm()
        // The C function reads the zone files. Foundation's calendars would add ICU to the binary.
        localtime_r(&seconds, &parts)
        return timeOfDay(parts)
    }

    /// `YYYY-MM-DDTHH:MM:SS.mmmZ`, the form of RFC 3339 in UTC.
    var rfc3339: String {
        var seconds = time_t(self.seconds)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let date = [padded(parts.tm_year + 1900, 4), padded(parts.tm_mon + 1, 2), padded(parts.tm_mday, 2)]
        return date.joined(separator: "-") + "T" + timeOfDay(parts) + "Z"
    }

    private func timeOfDay(_ parts: tm) -> String {
        let clock = [padded(parts.tm_hour, 2), padded(parts.tm_min, 2), padded(parts.tm_sec, 2)]
        return clock.joined(separator: ":") + "." + padded(Int32(clamping: milliseconds), 3)
    }

    private func padded(_ number: Int32, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
