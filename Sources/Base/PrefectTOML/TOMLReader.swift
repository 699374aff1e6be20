package import OrderedCollections
package import PrefectJSON

/// Reads TOML 1.0.
///
/// No input ends the process: the depth of values and the parts of keys are limited. The time is proportional to the
/// length of the text, except for the sorting of keys. A byte order mark at the start is skipped.
package struct TOMLReader {
    /// The maximum depth of the arrays and tables within a value, and the maximum number of parts of a key.
    package static let maximumDepth = 100

    let bytes: [UInt8]
    var position = 0
    /// The number of arrays and tables around the position, without those that headers define.
    var depth = 0

    private let root = TOMLTable(.header)
    /// The table that the last header names.
    private var current: TOMLTable

    /// Reads a document.
    ///
    /// - Parameter bytes: UTF-8 text.
    /// - Returns: The top-level table. The keys of each table are sorted by their UTF-8, so that the order of warnings
    ///   does not depend on the layout of a file. Dates and times are strings in the form of RFC 3339, with `T` and `Z`
    ///   in upper case. If keys differ only in their Unicode normalization, the last one counts.
    /// - Throws: ``TOMLError`` for invalid TOML, invalid UTF-8, an integer outside the range of 64 bits, and a value or
    ///   a key beyond ``maximumDepth``.
    package static func table(in bytes: [UInt8]) throws(TOMLError) -> OrderedDictionary<String, JSONValue> {
        var reader = TOMLReader(bytes: bytes)
        try reader.readDocument()
        return reader.root.json
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
        current = root
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    private mutating func readDocument() throws(TOMLError) {
        while true {
            try skipBlanksAndLines()
            guard let next else { return }
            if next == UInt8(ascii: "[") { try readHeader() } else { try readPair(into: current) }
            try endLine()
        }
    }

    private mutating func readHeader() throws(TOMLError) {
        position += 1
        let isOfArray = consume(UInt8(ascii: "["))
        skipBlanks()
        guard let next, Self.beginsKey(next) else { throw failure("a name is expected after '['") }
        let key = try readKey()
        guard consume(UInt8(ascii: "]")) else { throw failure("']' is expected") }
        if isOfArray, !consume(UInt8(ascii: "]")) { throw failure("']]' is expected") }
        current = try define(key, in: root, isOfArray: isOfArray)
    }

    /// Reads a key and its value into a table: that of the last header, or an inline one.
    mutating func readPair(into table: TOMLTable) throws(TOMLError) {
        let key = try readKey()
        guard consume(UInt8(ascii: "=")) else { throw failure("'=' is expected") }
        skipBlanks()
        let inner = try enter(key, of: table)
        try descend(by: key.parents.count)
        inner.members[key.last.name] = .value(try readValue())
        depth -= key.parents.count
    }

    /// Skips the rest of a line that must not hold another statement.
    private mutating func endLine() throws(TOMLError) {
        skipBlanks()
        try skipComment()
        guard next == nil || consumeNewline() else { throw failure("the end of the line is expected") }
    }
}

// MARK: - Positions and pieces

extension TOMLReader {
    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    func failure(_ reason: String, at place: Int? = nil) -> TOMLError {
        let before = bytes[..<min(place ?? position, bytes.count)]
        let line = before.count { $0 == UInt8(ascii: "\n") } + 1
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        // Bytes of the form 10xxxxxx continue a scalar.
        return TOMLError(reason: reason, line: line, column: before[lineStart...].count { $0 & 0xC0 != 0x80 } + 1)
    }

    mutating func consume(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    mutating func skipBlanks() {
        while next == UInt8(ascii: " ") || next == UInt8(ascii: "\t") { position += 1 }
    }

    mutating func skipBlanksAndLines() throws(TOMLError) {
        repeat {
            skipBlanks()
            try skipComment()
        } while consumeNewline()
    }

    /// Consumes LF or CR LF.
    mutating func consumeNewline() -> Bool {
        guard isAtNewline else { return false }
        position += next == UInt8(ascii: "\r") ? 2 : 1
        return true
    }

    var isAtNewline: Bool {
        next == UInt8(ascii: "\n")
            || next == UInt8(ascii: "\r") && position + 1 < bytes.count && bytes[position + 1] == UInt8(ascii: "\n")
    }

    private mutating func skipComment() throws(TOMLError) {
        guard next == UInt8(ascii: "#") else { return }
        let start = position
        while let byte = next, !isAtNewline {
            if Self.isControl(byte) { throw failure("a comment contains a control character") }
            position += 1
        }
        _ = try text(bytes[start..<position], from: start)
    }

    /// Decodes UTF-8; `start` is the position of the error for invalid bytes.
    func text(_ bytes: some Collection<UInt8>, from start: Int) throws(TOMLError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw failure("the text that begins here is not UTF-8", at: start)
        }
        return text
    }

    static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 && byte != UInt8(ascii: "\t") || byte == 0x7F }

    static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
