/// Finds invalid input that the TOML parser does not reject, but that makes it end the process:
///
/// - table headers without a name, such as `[=x]`
/// - dates with an hour of one digit or without an hour, such as `2026-02-03Tx` and `2026-02-03 5`
/// - elements of arrays that are not values, such as `[}` and blanks of other scripts
/// - values that are nested too deep, and keys with too many parts
/// - text that begins like a number and contains `=` or a bracket, such as `2026-02-0= 5`
///
/// The scan follows a document statement by statement. Its result is correct for a document that is valid up to the
/// finding.
struct TOMLGuard {
    /// A problem and its position, counted from 1.
    struct Finding: Hashable {
        let line: Int
        let column: Int
        let reason: String
    }

    /// The maximum depth of arrays and inline tables, and the maximum number of parts of a key.
    static let maximumDepth = 100

    private let bytes: [UInt8]
    private var position = 0
    private var reason: String?

    /// The first finding; `nil` when the parser can read the text safely.
    static func finding(in text: String) -> Finding? {
        var scanner = TOMLGuard(bytes: Array(text.utf8))
        scanner.scan()
        guard let reason = scanner.reason else { return nil }
        let before = scanner.bytes[..<scanner.position]
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return Finding(
            line: before.count { $0 == UInt8(ascii: "\n") } + 1, column: scanner.position - lineStart + 1,
            reason: reason)
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skip(while condition: (UInt8) -> Bool) {
        while let byte = next, condition(byte) { position += 1 }
    }

    private mutating func skipLine() { skip { $0 != UInt8(ascii: "\n") } }

    /// Scans to the end of the text, or to the place of a finding.
    private mutating func scan() {
        while reason == nil {
            skip { " \t\r\n".utf8.contains($0) }
            switch next {
            case nil: return
            case UInt8(ascii: "#"): skipLine()
            case UInt8(ascii: "["):
                position += 1
                if next == UInt8(ascii: "[") { position += 1 }
                skip { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
                if let byte = next, !Self.mayFollow(byte) {
                    reason = "a name is expected after '['"
                    return
                }
                let start = position
                skipLine()
                if bytes[start..<position].count(where: { $0 == UInt8(ascii: ".") }) >= Self.maximumDepth {
                    reason = "a key has more than \(Self.maximumDepth) parts"
                }
            default: skipAssignment()
            }
        }
    }

    /// Whether the byte begins a name, or is one that the parser itself rejects.
    private static func mayFollow(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: isDigit(byte) || "-_\"']".utf8.contains(byte)
        }
    }

    /// Skips a key and its value, which may span lines.
    private mutating func skipAssignment() {
        var brackets: [UInt8] = []
        var isValue = false
        var expectsValue = false
        var dots = 0
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\n") where brackets.isEmpty: return
            case UInt8(ascii: "#"): skipLine()
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                if isValue, !Self.mayPrecedeValue(bytes[position - 1]) {
                    reason = "a quote cannot be within a value"
                    return
                }
                skipString(quote: byte)
                expectsValue = false
            case UInt8(ascii: "}") where brackets.last == UInt8(ascii: "["):
                reason = "a value or ']' is expected"
                return
            case 0x80...:
                reason = "a value or a name of such characters must be in quotes"
                return
            case UInt8(ascii: "T"), UInt8(ascii: "t"):
                if isValue, isDateWithoutHour {
                    position += 1
                    reason = "an hour is expected after the date"
                    return
                }
                position += 1
            case UInt8(ascii: " "):
                position += 1
                if isValue, isHalfAnHour {
                    reason = "an hour of two digits is expected after the date"
                    return
                }
            case _ where expectsValue && (Self.isDigit(byte) || "+-".utf8.contains(byte)):
                if bytes[position...].prefix(while: { !Self.endsValue($0) }).contains(where: { "=[{".utf8.contains($0) }
                ) {
                    reason = "a number or a date ends before '=' or a bracket"
                    return
                }
                expectsValue = false
                position += 1
            default:
                // A value and a comma separate two keys of an inline table, so `,`, `=` and a line end restart the
                // count of dots.
                if byte == UInt8(ascii: ".") { dots += 1 }
                if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "=") || byte == UInt8(ascii: "\n") { dots = 0 }
                if dots >= Self.maximumDepth {
                    reason = "a key has more than \(Self.maximumDepth) parts"
                    return
                }
                if byte == UInt8(ascii: "=") { isValue = true }
                switch byte {
                case UInt8(ascii: "="), UInt8(ascii: "["): expectsValue = true
                case UInt8(ascii: ","): expectsValue = brackets.last == UInt8(ascii: "[")
                case UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): break
                default: expectsValue = false
                }
                if byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") { brackets.append(byte) }
                if brackets.count > Self.maximumDepth {
                    reason = "values are nested deeper than \(Self.maximumDepth) levels"
                    return
                }
                if byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}") { _ = brackets.popLast() }
                position += 1
            }
        }
    }

    /// Whether a date ends before this position, and no hour follows the byte at this position.
    private var isDateWithoutHour: Bool {
        guard position >= 10, position + 1 < bytes.count else { return false }
        let isDate = zip(bytes[position - 10..<position], "0000-00-00".utf8).allSatisfy { byte, form in
            form == UInt8(ascii: "-") ? byte == form : Self.isDigit(byte)
        }
        return isDate && !Self.isDigit(bytes[position + 1])
    }

    /// Whether a single digit stands here, after a space and a byte that can end a value. Valid text never contains
    /// this.
    private var isHalfAnHour: Bool {
        guard position >= 2, position + 1 < bytes.count, Self.isDigit(bytes[position]) else { return false }
        return !Self.mayPrecedeValue(bytes[position - 2]) && !Self.isDigit(bytes[position + 1])
    }

    /// Whether the parser ends a number or a date before the byte.
    private static func endsValue(_ byte: UInt8) -> Bool { "]},# \t\r\n".utf8.contains(byte) }

    private static func mayPrecedeValue(_ byte: UInt8) -> Bool { "=,.[{ \t\r\n".utf8.contains(byte) }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private mutating func skipString(quote: UInt8) {
        let fence = [quote, quote, quote]
        let isLong = bytes[position...].starts(with: fence)
        position += isLong ? 3 : 1
        while let byte = next {
            if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                position = min(position + 2, bytes.count)
            } else if isLong, bytes[position...].starts(with: fence) {
                // One or two further quotes belong to the text.
                skip { $0 == quote }
                return
            } else {
                if !isLong, byte == UInt8(ascii: "\n") { return }
                position += 1
                if !isLong, byte == quote { return }
            }
        }
    }
}
