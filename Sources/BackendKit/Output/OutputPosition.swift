internal import PrefectJSON

/// The time at which infrastructure printed something, to the nanosecond.
public struct OutputTime: Sendable, Hashable, Comparable {
    /// Seconds since 1970.
    public let seconds: Int
    /// 0..<1,000,000,000.
    public let nanoseconds: Int

    /// Orders the times, the earlier first.
    public static func < (left: OutputTime, right: OutputTime) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    /// A time.
    public init(seconds: Int, nanoseconds: Int) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// This moment, to the second.
    public static var now: OutputTime { OutputTime(seconds: Timestamp.now.microseconds / 1_000_000, nanoseconds: 0) }

    /// A time in the form of RFC 3339, with up to nine digits of fraction; `nil` for any other text.
    public init?(_ text: String) {
        guard text.utf8.count <= 40, let moment = Timestamp(text) else { return nil }
        seconds = moment.microseconds.quotientAndRemainder(dividingBy: 1_000_000).quotient
        var digits = Array(text.utf8.drop { $0 != UInt8(ascii: ".") }.dropFirst().prefix { (48...57).contains($0) })
        digits = Array(digits.prefix(9))
        digits += Array(repeating: 48, count: 9 - digits.count)
        nanoseconds = digits.reduce(0) { $0 * 10 + Int($1 - 48) }
    }

    /// Seconds and nine digits of fraction, with a point between them.
    public var decimal: String {
        let digits = String(nanoseconds)
        return "\(seconds).\(String(repeating: "0", count: max(0, 9 - digits.count)))\(digits)"
    }
}

/// How far a log has been read, so that a second reading continues where the first was interrupted. Several records of
/// the log may have the same time. A record may be a little older than the one before it, because the two streams of a
/// program take their times independently.
public struct OutputPosition: Sendable, Hashable {
    /// The latest time of all records that were read.
    public private(set) var time: OutputTime?
    /// How many records of that time were read.
    private var count = 0
    /// The reading skips records from before this time.
    private var start: OutputTime?
    /// How many records of that time the reading still has to skip.
    private var repeated = 0
    /// Whether the last record was new; a record that continues it is new as well.
    private var isNew = true

    /// The position before all records, or before those that are printed from a time on.
    public init(since time: OutputTime? = nil) { (self.time, start) = (time, time) }

    /// A position in the form of ``text``; `nil` for any other text.
    public init?(text: String) {
        let parts = text.split(whereSeparator: \.isWhitespace).map { Int($0) }
        guard parts.count == 3, let seconds = parts[0], let nanoseconds = parts[1], let count = parts[2],
            (0..<1_000_000_000).contains(nanoseconds), (0..<Int(Int32.max)).contains(count)
        else { return nil }
        time = OutputTime(seconds: seconds, nanoseconds: nanoseconds)
        self.count = count
    }

    /// The position in a form for storage; `nil` when nothing has been read.
    public var text: String? { time.map { "\($0.seconds) \($0.nanoseconds) \(count)" } }

    /// Begins another reading, which returns all records of the last time again, and maybe earlier ones.
    public mutating func resume() { (start, repeated) = (time, count) }

    /// Records that a record with a time was read, and returns whether it is new. A record without a time continues the
    /// one before it.
    public mutating func admits(_ recordTime: OutputTime?) -> Bool {
        if let recordTime { isNew = isAfter(recordTime) }
        return isNew
    }

    private mutating func isAfter(_ recordTime: OutputTime) -> Bool {
        guard let time else {
            (self.time, count) = (recordTime, 1)
            return true
        }
        if recordTime < time { return start.map { recordTime >= $0 } ?? true }
        if recordTime == time {
            if repeated > 0 {
                repeated -= 1
                return false
            }
            count = min(count, Int(Int32.max) - 1) + 1
            return true
        }
        (self.time, count, repeated) = (recordTime, 1, 0)
        return true
    }
}
