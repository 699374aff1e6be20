internal import BackendKit
internal import PrefectJSON

/// Splits a pod's log into lines, each with the time that Kubernetes puts before it. Lines that were seen before are
/// omitted, so that the reading of a log can continue after a break. A value without I/O.
struct LogLines: Sendable, Hashable {
    private var line: [UInt8] = []
    /// The position up to which the log has been read.
    private(set) var position: OutputPosition

    /// The longest line that stays in one piece, in bytes. A longer line comes in parts.
    static let longestLine = 256 << 10

    /// The lines of a log: all of them, or those that follow a position.
    init(from position: OutputPosition = OutputPosition()) { self.position = position }

    /// The time from which the log is to be read; `nil` for the beginning.
    var since: Timestamp? {
        position.time.map { Timestamp(microseconds: $0.seconds * 1_000_000 + $0.nanoseconds / 1000) }
    }

    /// Begins another reading, which contains the interrupted line again.
    mutating func resume() {
        line = []
        position.resume()
    }

    /// Takes the bytes that have arrived, and passes on the complete lines with their line ends, each with
    /// the position after it.
    mutating func take(_ bytes: [UInt8], line body: ([UInt8], OutputPosition) -> Void) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            line += rest[...end]
            rest = rest[(end + 1)...]
            deliver(body)
        }
        line += rest
        if line.count > Self.longestLine { deliver(body) }
    }

    /// Passes on the last line, which has no line end.
    mutating func finish(line body: ([UInt8], OutputPosition) -> Void) {
        if !line.isEmpty { deliver(body) }
    }

    private mutating func deliver(_ body: ([UInt8], OutputPosition) -> Void) {
        defer { line = [] }
        guard let space = line.prefix(41).firstIndex(of: UInt8(ascii: " ")),
            let time = OutputTime(String(decoding: line[..<space], as: UTF8.self))
        else {
            // Bytes without a time continue a line that was too long.
            if position.admits(nil) { body(line, position) }
            return
        }
        if position.admits(time) { body(Array(line[(space + 1)...]), position) }
    }
}
