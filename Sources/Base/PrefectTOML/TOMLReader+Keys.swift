extension TOMLReader {
    /// A key of one or more parts.
    struct Key {
        struct Part {
            let name: [UInt8]
            let position: Int
        }

        var parents: [Part] = []
        var last: Part
    }

    /// Reads a key, and the blanks after it.
    mutating func readKey() throws(TOMLError) -> Key {
        var key = Key(last: try readPart())
        skipBlanks()
        while consume(UInt8(ascii: ".")) {
            skipBlanks()
            key.parents.append(key.last)
            key.last = try readPart()
            if key.parents.count == Self.maximumDepth {
                throw failure("a key has more than \(Self.maximumDepth) parts", at: key.last.position)
            }
            skipBlanks()
        }
        return key
    }

    private mutating func readPart() throws(TOMLError) -> Key.Part {
        let start = position
        if next == UInt8(ascii: "\"") || next == UInt8(ascii: "'") {
            return Key.Part(name: Array(try readShortString().utf8), position: start)
        }
        while let byte = next, Self.isBare(byte) { position += 1 }
        if let byte = next, byte >= 0x80 { throw failure(Self.needsQuotes) }
        guard position > start else { throw failure("a name is expected") }
        return Key.Part(name: Array(bytes[start..<position]), position: start)
    }

    static func beginsKey(_ byte: UInt8) -> Bool {
        isBare(byte) || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
    }

    private static func isBare(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: isDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
        }
    }

    static var needsQuotes: String { "a value or a name of such characters must be in quotes" }
}
