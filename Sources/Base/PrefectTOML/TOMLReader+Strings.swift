extension TOMLReader {
    /// Reads a string of any form.
    mutating func readString() throws(TOMLError) -> String {
        guard let quote = next, bytes[position...].starts(with: [quote, quote, quote]) else {
            return try readShortString()
        }
        position += 3
        _ = consumeNewline()
        return try readString(until: quote, isLong: true)
    }

    /// Reads a string on one line.
    mutating func readShortString() throws(TOMLError) -> String {
        guard let quote = next else { throw failure("a quote is expected") }
        position += 1
        return try readString(until: quote, isLong: false)
    }

    /// Reads the text of a string and its closing quotes. Text in double quotes has escape sequences.
    private mutating func readString(until quote: UInt8, isLong: Bool) throws(TOMLError) -> String {
        let start = position
        var decoded: [UInt8] = []
        while let byte = next {
            if byte == quote {
                let quotes = bytes[position...].prefix(isLong ? 5 : 1).prefix { $0 == quote }.count
                // Up to two quotes before the closing ones belong to the text.
                let ofText = isLong ? quotes < 3 ? quotes : quotes - 3 : 0
                decoded.append(contentsOf: repeatElement(quote, count: ofText))
                position += quotes
                if !isLong || quotes >= 3 { return try text(decoded, from: start) }
            } else if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                try readEscape(into: &decoded, isLong: isLong)
            } else if isLong, consumeNewline() {
                decoded.append(UInt8(ascii: "\n"))
            } else {
                if isAtNewline { break }
                if Self.isControl(byte) { throw failure("a string contains a control character") }
                decoded.append(byte)
                position += 1
            }
        }
        throw failure("a string is not terminated")
    }

    private mutating func readEscape(into decoded: inout [UInt8], isLong: Bool) throws(TOMLError) {
        let start = position
        position += 1
        guard let escape = next else { throw failure("a string is not terminated") }
        position += 1
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): decoded.append(escape)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "n"): decoded.append(0x0A)
        case UInt8(ascii: "f"): decoded.append(0x0C)
        case UInt8(ascii: "r"): decoded.append(0x0D)
        case UInt8(ascii: "u"): try readScalarEscape(digits: 4, into: &decoded)
        case UInt8(ascii: "U"): try readScalarEscape(digits: 8, into: &decoded)
        default:
            position -= 1
            skipBlanks()
            guard isLong, consumeNewline() else { throw failure("an escape sequence is unknown", at: start) }
            // A backslash at the end of a line removes the white space up to the next text.
            repeat { skipBlanks() } while consumeNewline()
        }
    }

    private mutating func readScalarEscape(digits: Int, into decoded: inout [UInt8]) throws(TOMLError) {
        let text = bytes[position...].prefix(digits)
        guard text.count == digits, text.allSatisfy({ Self.isDigit($0, radix: 16) }),
            let value = UInt32(String(decoding: text, as: UTF8.self), radix: 16)
        else { throw failure("\(digits) hexadecimal digits are expected") }
        guard let scalar = Unicode.Scalar(value) else { throw failure("an escape sequence names no Unicode scalar") }
        position += digits
        decoded.append(contentsOf: String(scalar).utf8)
    }
}
