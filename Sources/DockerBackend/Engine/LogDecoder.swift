internal import JSON

/// What a container wrote at one time, as the Engine keeps it: mostly a line.
struct LogRecord: Sendable, Hashable {
    enum Stream: UInt8, Sendable, Hashable {
        case output = 1
        case errors = 2
    }

    let stream: Stream
    /// When it was written, where the Engine said so.
    let time: LogTime?
    let bytes: [UInt8]
}

/// A time in the Engine's precision.
struct LogTime: Sendable, Hashable, Comparable {
    let seconds: Int
    let nanoseconds: Int

    static func < (left: LogTime, right: LogTime) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    /// The form of the query `since`.
    var query: String {
        let digits = String(nanoseconds)
        return "\(seconds).\(String(repeating: "0", count: max(0, 9 - digits.count)))\(digits)"
    }

    init(seconds: Int, nanoseconds: Int) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// A time as RFC 3339 has it, with up to nine digits of fraction; `nil` for anything else.
    init?(_ text: String) {
        guard text.utf8.count <= 40, let moment = Timestamp(text) else { return nil }
        seconds = moment.microseconds.quotientAndRemainder(dividingBy: 1_000_000).quotient
        var digits = Array(text.utf8.drop { $0 != UInt8(ascii: ".") }.dropFirst().prefix { (48...57).contains($0) })
        digits = Array(digits.prefix(9))
        digits += Array(repeating: 48, count: 9 - digits.count)
        nanoseconds = digits.reduce(0) { $0 * 10 + Int($1 - 48) }
    }
}

/// Takes apart what `GET /containers/{id}/logs` sends, with `timestamps=1`: a header of eight bytes before each record where
/// the container has no terminal, bare lines where it has one.
///
/// Nothing is kept but the record that is incomplete, and of one that is larger than ``largestRecord`` the beginning is handed
/// out before its rest, which has no time.
struct LogDecoder: Sendable {
    static let largestRecord = 1 << 20

    /// The stream is none of the Engine's.
    struct Malformed: Error, Hashable {}

    private enum State {
        case header
        case payload(LogRecord.Stream, left: Int, isContinued: Bool)
        case line(isContinued: Bool)
    }

    private var state: State
    private var pending: [UInt8] = []

    init(hasTTY: Bool) {
        state = hasTTY ? .line(isContinued: false) : .header
    }

    /// The records that a portion completes.
    mutating func decode(_ bytes: [UInt8]) throws(Malformed) -> [LogRecord] {
        var records: [LogRecord] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            switch state {
            case .header:
                let part = rest.prefix(8 - pending.count)
                rest = rest.dropFirst(part.count)
                pending += part
                if pending.count == 8 { state = try readHeader() }
            case .payload(let stream, let left, let isContinued):
                let part = rest.prefix(min(left, Self.largestRecord - pending.count))
                rest = rest.dropFirst(part.count)
                pending += part
                if part.count == left {
                    records.append(take(stream, isContinued))
                    state = .header
                } else if pending.count == Self.largestRecord {
                    records.append(take(stream, isContinued))
                    state = .payload(stream, left: left - part.count, isContinued: true)
                } else {
                    state = .payload(stream, left: left - part.count, isContinued: isContinued)
                }
            case .line(let isContinued):
                let limit = rest.prefix(Self.largestRecord - pending.count)
                if let end = limit.firstIndex(of: UInt8(ascii: "\n")) {
                    pending += rest[...end]
                    rest = rest[rest.index(after: end)...]
                    records.append(take(.output, isContinued))
                    state = .line(isContinued: false)
                } else {
                    pending += limit
                    rest = rest.dropFirst(limit.count)
                    if pending.count == Self.largestRecord {
                        records.append(take(.output, isContinued))
                        state = .line(isContinued: true)
                    }
                }
            }
        }
        return records
    }

    /// The last line of a container with a terminal, which may lack its end. A record that was cut off is dropped: it comes
    /// again.
    mutating func finish() -> LogRecord? {
        guard case .line(let isContinued) = state, !pending.isEmpty else { return nil }
        return take(.output, isContinued)
    }

    private mutating func readHeader() throws(Malformed) -> State {
        defer { pending.removeAll(keepingCapacity: true) }
        guard pending[1] == 0, pending[2] == 0, pending[3] == 0 else { throw Malformed() }
        let length = pending[4...7].reduce(0) { $0 << 8 | Int($1) }
        switch pending[0] {
        case 0, 1: return length == 0 ? .header : .payload(.output, left: length, isContinued: false)
        case 2, 3: return length == 0 ? .header : .payload(.errors, left: length, isContinued: false)
        default: throw Malformed()
        }
    }

    /// The record that is complete, its time taken off.
    private mutating func take(_ stream: LogRecord.Stream, _ isContinued: Bool) -> LogRecord {
        defer { pending.removeAll(keepingCapacity: true) }
        if !isContinued, let space = pending.prefix(41).firstIndex(of: UInt8(ascii: " ")),
            let time = LogTime(String(decoding: pending[..<space], as: UTF8.self))
        {
            return LogRecord(stream: stream, time: time, bytes: Array(pending[(space + 1)...]))
        }
        return LogRecord(stream: stream, time: nil, bytes: pending)
    }
}

/// How far a container's log has been read, so that a second reading goes on where the first was cut off.
struct LogPosition: Sendable, Hashable {
    /// The time of the last record that was read.
    private(set) var time: LogTime?
    /// How many records of that time were read.
    private var count = 0
    /// How many records of that time are still to be passed over.
    private var repeated = 0

    init(since time: LogTime? = nil) { self.time = time }

    /// A position as ``text`` writes it.
    init?(text: String) {
        let parts = text.split(whereSeparator: \.isWhitespace).map { Int($0) }
        guard parts.count == 3, let seconds = parts[0], let nanoseconds = parts[1], let count = parts[2],
            (0..<1_000_000_000).contains(nanoseconds), count >= 0
        else { return nil }
        time = LogTime(seconds: seconds, nanoseconds: nanoseconds)
        self.count = count
    }

    /// The position in a form that can be kept; `nil` where nothing has been read.
    var text: String? { time.map { "\($0.seconds) \($0.nanoseconds) \(count)" } }

    /// Begins another reading, which the Engine starts with all records of the last time.
    mutating func resume() { repeated = count }

    /// Notes a record, and says whether it is new.
    mutating func admits(_ record: LogRecord) -> Bool {
        guard let recordTime = record.time else { return true }
        guard let time else {
            (self.time, count) = (recordTime, 1)
            return true
        }
        if recordTime < time { return false }
        if recordTime == time {
            if repeated > 0 {
                repeated -= 1
                return false
            }
            count += 1
            return true
        }
        (self.time, count, repeated) = (recordTime, 1, 0)
        return true
    }
}
