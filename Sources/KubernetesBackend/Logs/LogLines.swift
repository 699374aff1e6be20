internal import JSON
internal import Worker

/// Takes a pod's log apart into lines, each with the time that Kubernetes puts before it, and leaves out those that were
/// seen before, so that a log that broke off can be read on. A value without I/O.
struct LogLines: Sendable, Hashable {
    private var line: [UInt8] = []
    /// How far the log has been read.
    private(set) var position: OutputPosition

    /// So much of a line is kept together; a longer one comes in parts.
    static let longestLine = 256 << 10

    /// The lines of a log, all of them or those that follow a position.
    init(from position: OutputPosition = OutputPosition()) { self.position = position }

    /// From when on the log is to be read; `nil` for the beginning.
    var since: Timestamp? {
        position.time.map { Timestamp(microseconds: $0.seconds * 1_000_000 + $0.nanoseconds / 1000) }
    }

    /// Begins another reading. The line that broke off comes again in it.
    mutating func resume() {
        line = []
        position.resume()
    }

    /// Takes what has arrived and hands out the lines that are complete, with their line ends.
    mutating func take(_ bytes: [UInt8], line hand: ([UInt8]) -> Void) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            line += rest[...end]
            rest = rest[(end + 1)...]
            deliver(hand)
        }
        line += rest
        if line.count > Self.longestLine { deliver(hand) }
    }

    /// Hands out what is left, which has no line end.
    mutating func finish(line hand: ([UInt8]) -> Void) {
        if !line.isEmpty { deliver(hand) }
    }

    private mutating func deliver(_ hand: ([UInt8]) -> Void) {
        defer { line = [] }
        guard let space = line.prefix(41).firstIndex(of: UInt8(ascii: " ")),
            let time = OutputTime(String(decoding: line[..<space], as: UTF8.self))
        else {
            // Without a time: what follows in a line that was too long.
            if position.admits(nil) { hand(line) }
            return
        }
        if position.admits(time) { hand(Array(line[(space + 1)...])) }
    }
}
