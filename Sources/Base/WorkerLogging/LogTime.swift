internal import Glibc
internal import PrefectJSON

extension Timestamp {
    /// `HH:MM:SS.mmm` in local time.
    var localTimeOfDay: String {
        // The C function reads the zone files. Foundation's calendars would add ICU to the binary.
        var seconds = time_t(wholeSeconds)
        var parts = tm()
        localtime_r(&seconds, &parts)
        // An offset from UTC is a number of whole seconds, so the fraction is the same.
        let fraction = millisecondFormat.dropLast().suffix(3)
        return [parts.tm_hour, parts.tm_min, parts.tm_sec].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
            + ".\(fraction)"
    }
}
