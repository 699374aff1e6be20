internal import OrderedCollections

/// The reason why a text could not be parsed as JSON, and the position of the error.
public struct JSONError: Error, Hashable, CustomStringConvertible {
    /// A description of the error, without any of the text itself.
    public let reason: String
    /// The line, counted from 1.
    public let line: Int
    /// The column in bytes, counted from 1.
    public let column: Int
    /// Whether the text has more or deeper values than the limits allow. It may still be valid JSON.
    public let isTooLarge: Bool

    /// The reason and the place in one line.
    public var description: String {
        "\(isTooLarge ? "too large" : "not valid JSON"): \(reason) (line \(line), column \(column))"
    }
}

extension JSONValue {
    /// The deepest allowed nesting of arrays and objects. Deeper input is refused, so that it cannot exhaust the stack.
    /// Prefect's server sends responses with up to 254 levels.
    public static let maximumDepth = 256

    /// The most memory that the values of a text may take, in units of about 40 bytes. A value takes up to fifty times
    /// the memory of its text, so a limit on the text alone is not enough. Run parameters of 512 KiB, the most that
    /// Prefect's server accepts, never need more.
    public static let maximumCost = 524_000

    /// Parses UTF-8 bytes.
    ///
    /// Every number is finite. `NaN` and `Infinity`, which JSON does not have, are refused, and so are floating-point
    /// numbers too large for a double. For repeated keys, the last one counts. Invalid UTF-8 and lone surrogates become
    /// U+FFFD.
    public init(parsing bytes: [UInt8], maximumCost: Int = maximumCost) throws(JSONError) {
        var parser = JSONParser(bytes: bytes, maximumCost: maximumCost)
        self = try parser.parseDocument()
    }

    /// Parses a string.
    public init(parsing text: String) throws(JSONError) {
        try self.init(parsing: Array(text.utf8))
    }
}

struct JSONParser {
    private let bytes: [UInt8]
    private let maximumCost: Int
    private var position = 0
    private var depth = 0
    private var cost = 0

    init(bytes: [UInt8], maximumCost: Int) {
        self.bytes = bytes
        self.maximumCost = maximumCost
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    mutating func parseDocument() throws(JSONError) -> JSONValue {
        let value = try parseValue()
        skipWhitespace()
        if position < bytes.count { throw failure("unexpected text after the value") }
        return value
    }

    private func failure(_ reason: String, isTooLarge: Bool = false) -> JSONError {
        let end = min(position, bytes.count)
        let before = bytes[..<end]
        let line = before.count(where: { $0 == UInt8(ascii: "\n") }) + 1
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return JSONError(reason: reason, line: line, column: end - lineStart + 1, isTooLarge: isTooLarge)
    }

    private mutating func skipWhitespace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// Counts memory before it is allocated.
    private mutating func spend(_ units: Int) throws(JSONError) {
        cost += units
        if cost > maximumCost { throw failure("its values take too much memory", isTooLarge: true) }
    }

    private mutating func parseValue() throws(JSONError) -> JSONValue {
        try spend(1)
        skipWhitespace()
        guard position < bytes.count else { throw failure("the text ends where a value is expected") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return try parseObject()
        case UInt8(ascii: "["): return try parseArray()
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseLiteral("true", .bool(true))
        case UInt8(ascii: "f"): return try parseLiteral("false", .bool(false))
        case UInt8(ascii: "n"): return try parseLiteral("null", .null)
        case UInt8(ascii: "N"), UInt8(ascii: "I"): throw failure("NaN and Infinity are not JSON numbers")
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
        default: throw failure("a value is expected")
        }
    }

    private mutating func parseLiteral(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let length = word.utf8CodeUnitCount
        let matches = word.withUTF8Buffer { expected in
            position + length <= bytes.count && bytes[position..<position + length].elementsEqual(expected)
        }
        guard matches else { throw failure("a value is expected") }
        position += length
        return value
    }

    private mutating func descend() throws(JSONError) {
        depth += 1
        if depth > JSONValue.maximumDepth {
            throw failure("nested deeper than \(JSONValue.maximumDepth) levels", isTooLarge: true)
        }
    }

    private mutating func parseArray() throws(JSONError) -> JSONValue {
        try descend()
        position += 1
        var elements: [JSONValue] = []
        skipWhitespace()
        if consume(UInt8(ascii: "]")) {
            depth -= 1
            return .array(elements)
        }
        try spend(1)
        while true {
            elements.append(try parseValue())
            skipWhitespace()
            if consume(UInt8(ascii: ",")) { continue }
            guard consume(UInt8(ascii: "]")) else { throw failure("',' or ']' is expected") }
            depth -= 1
            return .array(elements)
        }
    }

    private mutating func parseObject() throws(JSONError) -> JSONValue {
        try descend()
        position += 1
        var members: OrderedDictionary<String, JSONValue> = [:]
        skipWhitespace()
        if consume(UInt8(ascii: "}")) {
            depth -= 1
            return .object(members)
        }
        try spend(4)
        while true {
            skipWhitespace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw failure("a key in double quotes is expected")
            }
            let key = try parseString()
            skipWhitespace()
            guard consume(UInt8(ascii: ":")) else { throw failure("':' is expected") }
            members[key] = try parseValue()
            skipWhitespace()
            if consume(UInt8(ascii: ",")) { continue }
            guard consume(UInt8(ascii: "}")) else { throw failure("',' or '}' is expected") }
            depth -= 1
            return .object(members)
        }
    }

    private mutating func consume(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func parseNumber() throws(JSONError) -> JSONValue {
        let start = position
        _ = consume(UInt8(ascii: "-"))
        let firstDigit = position
        skipDigits()
        guard position > firstDigit else { throw failure("a digit is expected") }
        if bytes[firstDigit] == UInt8(ascii: "0"), position - firstDigit > 1 {
            throw failure("a number has a leading zero")
        }
        var isInteger = true
        if consume(UInt8(ascii: ".")) {
            isInteger = false
            let fraction = position
            skipDigits()
            guard position > fraction else { throw failure("a digit is expected after the decimal point") }
        }
        if consume(UInt8(ascii: "e")) || consume(UInt8(ascii: "E")) {
            isInteger = false
            if !consume(UInt8(ascii: "+")) { _ = consume(UInt8(ascii: "-")) }
            let exponent = position
            skipDigits()
            guard position > exponent else { throw failure("a digit is expected in the exponent") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger {
            if let value = Int(text) { return .int(value) }
            try spend(2)
            return .bigInteger(text)
        }
        guard let value = Double(text), value.isFinite else { throw failure("a number is too large") }
        return .double(value)
    }

    private mutating func skipDigits() {
        while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) {
            position += 1
        }
    }

    private mutating func parseString() throws(JSONError) -> String {
        position += 1
        let start = position
        // Most strings have no escapes, so the end is found first and all bytes are decoded at once.
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                // A string of up to 15 bytes takes no memory of its own.
                if position - start > 15 { try spend(2) }
                let text = String(decoding: bytes[start..<position], as: UTF8.self)
                position += 1
                return text
            case UInt8(ascii: "\\"):
                return try parseEscapedString(from: start)
            case 0..<0x20:
                throw failure("a string contains a control character")
            default:
                position += 1
            }
        }
        throw failure("a string is not terminated")
    }

    private mutating func parseEscapedString(from start: Int) throws(JSONError) -> String {
        var decoded = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                if decoded.count > 15 { try spend(2) }
                position += 1
                return String(decoding: decoded, as: UTF8.self)
            case UInt8(ascii: "\\"):
                position += 1
                try parseEscape(into: &decoded)
            case 0..<0x20:
                throw failure("a string contains a control character")
            default:
                decoded.append(byte)
                position += 1
            }
        }
        throw failure("a string is not terminated")
    }

    private mutating func parseEscape(into decoded: inout [UInt8]) throws(JSONError) {
        guard position < bytes.count else { throw failure("a string is not terminated") }
        let escape = bytes[position]
        position += 1
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): decoded.append(escape)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "f"): decoded.append(0x0C)
        case UInt8(ascii: "n"): decoded.append(0x0A)
        case UInt8(ascii: "r"): decoded.append(0x0D)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "u"):
            var unit = try parseHexadecimalUnit()
            if (0xD800..<0xDC00).contains(unit), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                bytes[position + 1] == UInt8(ascii: "u")
            {
                let rewind = position
                position += 2
                let low = try parseHexadecimalUnit()
                if (0xDC00..<0xE000).contains(low) {
                    unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
                } else {
                    position = rewind
                }
            }
            let scalar = Unicode.Scalar(unit) ?? "\u{FFFD}"
            decoded.append(contentsOf: String(Character(scalar)).utf8)
        default:
            throw failure("an escape sequence is unknown")
        }
    }

    private mutating func parseHexadecimalUnit() throws(JSONError) -> UInt32 {
        guard position + 4 <= bytes.count,
            let unit = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16),
            bytes[position] != UInt8(ascii: "+"), bytes[position] != UInt8(ascii: "-")
        else { throw failure("four hexadecimal digits are expected") }
        position += 4
        return unit
    }
}
