/// Checks text that arrives in pieces, and finds the first byte that is not valid UTF-8 as soon as it arrives.
struct UTF8Validator: Sendable {
    /// The number of continuation bytes that the current character still needs.
    private var missing = 0
    /// The allowed values of the next continuation byte. The range is narrower after some first bytes, to exclude
    /// overlong forms, surrogates and values above U+10FFFF.
    private var allowed: ClosedRange<UInt8> = 0x80...0xbf

    /// Whether a character has begun and is not complete.
    var isInsideCharacter: Bool { missing > 0 }

    /// Returns false as soon as the text is not UTF-8. No more bytes may be passed after that.
    mutating func accepts(_ bytes: some Collection<UInt8>) -> Bool {
        bytes.withContiguousStorageIfAvailable { accepts(UnsafeRawBufferPointer($0)) }
            ?? Array(bytes).withUnsafeBytes { accepts($0) }
    }

    private mutating func accepts(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        while index < bytes.count {
            if missing == 0 {
                index = Self.endOfASCII(in: bytes, from: index)
                if index == bytes.count { break }
            }
            guard accepts(bytes[index]) else { return false }
            index += 1
        }
        return true
    }

    /// The index of the first byte from `start` on that is not ASCII. Most text is ASCII, so eight bytes are checked at
    /// once.
    private static func endOfASCII(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        while index + 8 <= bytes.count,
            bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
        {
            index += 8
        }
        while index < bytes.count, bytes[index] < 0x80 { index += 1 }
        return index
    }

    private mutating func accepts(_ byte: UInt8) -> Bool {
        if missing > 0 {
            guard allowed.contains(byte) else { return false }
            missing -= 1
            allowed = 0x80...0xbf
            return true
        }
        switch byte {
        case 0x00...0x7f: return true
        case 0xc2...0xdf: begin(1)
        case 0xe0: begin(2, 0xa0...0xbf)
        case 0xed: begin(2, 0x80...0x9f)
        case 0xe1...0xef: begin(2)
        case 0xf0: begin(3, 0x90...0xbf)
        case 0xf1...0xf3: begin(3)
        case 0xf4: begin(3, 0x80...0x8f)
        default: return false
        }
        return true
    }

    private mutating func begin(_ count: Int, _ first: ClosedRange<UInt8> = 0x80...0xbf) {
        missing = count
        allowed = first
    }
}
