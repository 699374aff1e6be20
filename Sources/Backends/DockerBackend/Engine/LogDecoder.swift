internal import BackendKit

/// A piece of a container's output as the Engine stores it, usually a line.
struct LogRecord: Sendable, Hashable {
    enum Stream: UInt8, Sendable, Hashable {
        case output = 1
        case errors = 2
    }

    let stream: Stream
    /// The time at which the output was written, if the Engine reports it.
    let time: OutputTime?
    let bytes: [UInt8]
}

/// Decodes the answer of `GET /containers/{id}/logs` with `timestamps=1`. For a container without a terminal, each
/// record has a header of eight bytes. For one with a terminal, the answer is bare text. An Engine stores a long line
/// in parts, each with the time of the first part. In bare text that time appears within the line, and the decoder
/// removes it there.
///
/// The decoder keeps only the incomplete record. If a record is larger than ``largestRecord``, its beginning is
/// returned before the rest, which has no time.
struct LogDecoder: Sendable {
    static let largestRecord = 1 << 20

    /// The stream is not in the Engine's format.
    struct Malformed: Error, Hashable {}

    private enum State {
        case header
        case payload(LogRecord.Stream, left: Int, isContinued: Bool)
        case line(isContinued: Bool)
    }

    private var state: State
    private var pending: [UInt8] = []
    /// The time of the bare line that is being read, and the space after it, as the Engine writes them.
    private var stamp: [UInt8] = []
    /// The number of pending bytes that have been searched for that time.
    private var searched = 0

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
            case .line:
                let limit = rest.prefix(Self.largestRecord - pending.count)
                let part = limit.firstIndex(of: UInt8(ascii: "\n")).map { limit[...$0] } ?? limit
                pending += part
                rest = rest.dropFirst(part.count)
                takeLine(into: &records)
            }
        }
        return records
    }

    /// The last line of a container with a terminal, which may lack its line end. A record that was cut off is
    /// dropped, because the next reading returns it again.
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

    /// Takes the complete parts of a bare line, or the whole line.
    private mutating func takeLine(into records: inout [LogRecord]) {
        guard case .line(var isContinued) = state else { return }
        if stamp.isEmpty, !isContinued, let start = writtenTime?.end {
            stamp = Array(pending[..<start])
            searched = start
        }
        while let next = nextStamp() {
            let rest = Array(pending[next...])
            pending.removeSubrange(next...)
            records.append(take(.output, isContinued))
            pending = rest
            (isContinued, searched) = (false, stamp.count)
        }
        if pending.last == UInt8(ascii: "\n") {
            records.append(take(.output, isContinued))
            (isContinued, searched, stamp) = (false, 0, [])
        } else if pending.count == Self.largestRecord {
            // The last bytes may be the beginning of the repeated time, so they are kept.
            let kept = Array(pending.suffix(max(0, stamp.count - 1)))
            pending.removeLast(kept.count)
            records.append(take(.output, isContinued))
            pending = kept
            (isContinued, searched) = (true, 0)
        }
        state = .line(isContinued: isContinued)
    }

    /// The position at which the time of the line is repeated; `nil` if it is not repeated.
    private mutating func nextStamp() -> Int? {
        guard let first = stamp.first else { return nil }
        var rest = pending[searched...]
        while let start = rest.firstIndex(of: first), start + stamp.count <= pending.count {
            if pending[start..<(start + stamp.count)].elementsEqual(stamp) { return start }
            rest = pending[(start + 1)...]
        }
        searched = max(searched, pending.count - stamp.count + 1)
        return nil
    }

    /// Takes the complete record, and separates the time from its bytes.
    private mutating func take(_ stream: LogRecord.Stream, _ isContinued: Bool) -> LogRecord {
        defer { pending.removeAll(keepingCapacity: true) }
        guard !isContinued, let (time, end) = writtenTime else {
            return LogRecord(stream: stream, time: nil, bytes: pending)
        }
        return LogRecord(stream: stream, time: time, bytes: Array(pending[end...]))
    }

    /// The time at the beginning of the pending bytes, and the position after it; `nil` if there is no time.
    private var writtenTime: (time: OutputTime, end: Int)? {
        guard let space = pending.prefix(41).firstIndex(of: UInt8(ascii: " ")) else { return nil }
        return OutputTime(String(decoding: pending[..<space], as: UTF8.self)).map { ($0, space + 1) }
    }
}
