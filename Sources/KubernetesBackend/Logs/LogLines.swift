/// Takes a pod's log apart into lines, each with the time that Kubernetes puts before it, and leaves out those that were
/// seen before, so that a log that broke off can be read on. A value without I/O.
struct LogLines: Sendable, Hashable {
    private var line: [UInt8] = []
    /// The time of the last line that was handed out, as Kubernetes writes it.
    private(set) var last: String?

    /// So much of a line is kept together; a longer one comes in parts.
    static let longestLine = 256 << 10

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

    /// Hands out what is left, which has no line end; after that another reading can begin.
    mutating func finish(line hand: ([UInt8]) -> Void) {
        if !line.isEmpty { deliver(hand) }
    }

    /// Forgets the line that broke off, which comes again in the next reading.
    mutating func breakOff() { line = [] }

    private mutating func deliver(_ hand: ([UInt8]) -> Void) {
        defer { line = [] }
        guard let space = line.firstIndex(of: UInt8(ascii: " ")), let time = Self.time(line[..<space]) else {
            // Without a time: what follows in a line that was too long.
            return hand(line)
        }
        let key = Self.sortable(time)
        if let last, key <= Self.sortable(last) { return }
        last = time
        hand(Array(line[(space + 1)...]))
    }

    private static func time(_ bytes: ArraySlice<UInt8>) -> String? {
        guard bytes.count >= 20, bytes.count <= 40, bytes.last == UInt8(ascii: "Z"),
            bytes.allSatisfy({ "0123456789-:.TZ".utf8.contains($0) })
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Times without trailing zeros do not sort as they are.
    private static func sortable(_ time: String) -> String {
        let parts = time.dropLast().split(separator: ".")
        let fraction = parts.count > 1 ? String(parts[1]) : ""
        return (parts.first.map(String.init) ?? "") + "." + fraction
            + String(repeating: "0", count: max(0, 9 - fraction.count))
    }
}
