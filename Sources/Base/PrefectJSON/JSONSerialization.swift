internal import Notation
internal import OrderedCollections

/// The format in which JSON is written.
public struct JSONStyle: Sendable, Hashable {
    /// The number of spaces per level; `nil` writes everything on one line.
    public var indent: Int?
    /// The text between elements on one line.
    public var itemSeparator: String
    /// The text between a key and its value.
    public var keySeparator: String
    /// Whether characters outside ASCII are written as `\u` escapes.
    public var asciiOnly: Bool

    /// The shortest form, for requests.
    public static let compact = JSONStyle(indent: nil, itemSeparator: ",", keySeparator: ":", asciiOnly: false)
    /// Two spaces per level, for human readers.
    public static let pretty = JSONStyle(indent: 2, itemSeparator: ",", keySeparator: ": ", asciiOnly: false)
    /// The form of Python's `json.dumps` without options.
    package static let python = JSONStyle(indent: nil, itemSeparator: ", ", keySeparator: ": ", asciiOnly: true)
}

extension JSONValue {
    /// The value as JSON text. Numbers that are not finite are written as `null`.
    public func serialized(_ style: JSONStyle = .compact) -> String {
        var output: [UInt8] = []
        write(to: &output, style: style, level: 0)
        return String(decoding: output, as: UTF8.self)
    }

    /// The value as UTF-8 bytes of JSON text.
    public func serializedBytes(_ style: JSONStyle = .compact) -> [UInt8] {
        var output: [UInt8] = []
        write(to: &output, style: style, level: 0)
        return output
    }

    private func write(to output: inout [UInt8], style: JSONStyle, level: Int) {
        switch self {
        case .null: output.append(contentsOf: "null".utf8)
        case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
        case .int(let value): output.append(contentsOf: String(value).utf8)
        case .bigInteger(let digits): output.append(contentsOf: digits.utf8)
        case .double(let value):
            output.append(contentsOf: (value.isFinite ? value.pythonDescription : "null").utf8)
        case .string(let value): Self.writeString(value, to: &output, style: style)
        case .array(let elements):
            Self.writeList(elements, brackets: "[]", to: &output, style: style, level: level) { element, output in
                element.write(to: &output, style: style, level: level + 1)
            }
        case .object(let members):
            Self.writeList(members.elements, brackets: "{}", to: &output, style: style, level: level) {
                member, output in
                Self.writeString(member.key, to: &output, style: style)
                output.append(contentsOf: style.keySeparator.utf8)
                member.value.write(to: &output, style: style, level: level + 1)
            }
        }
    }

    private static func writeList<Elements: Collection>(
        _ elements: Elements, brackets: String, to output: inout [UInt8], style: JSONStyle, level: Int,
        each: (Elements.Element, inout [UInt8]) -> Void
    ) {
        let pair = Array(brackets.utf8)
        output.append(pair[0])
        for (offset, element) in elements.enumerated() {
            if offset > 0 { output.append(contentsOf: style.itemSeparator.utf8) }
            if let indent = style.indent { breakLine(&output, spaces: indent * (level + 1)) }
            each(element, &output)
        }
        if let indent = style.indent, !elements.isEmpty { breakLine(&output, spaces: indent * level) }
        output.append(pair[1])
    }

    private static func breakLine(_ output: inout [UInt8], spaces: Int) {
        output.append(UInt8(ascii: "\n"))
        output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: spaces))
    }

    private static func writeString(_ text: String, to output: inout [UInt8], style: JSONStyle) {
        output.append(UInt8(ascii: "\""))
        if style.asciiOnly {
            for scalar in text.unicodeScalars {
                if scalar.value == 0x7F {
                    writeEscape(0x7F, to: &output)
                } else if scalar.isASCII {
                    writeByte(UInt8(scalar.value), to: &output)
                } else {
                    for unit in String(Character(scalar)).utf16 { writeEscape(UInt32(unit), to: &output) }
                }
            }
        } else {
            guard text.unicodeScalars.contains(where: { $0.value >= 0x7F && $0.steersTerminal }) else {
                for byte in text.utf8 { writeByte(byte, to: &output) }
                output.append(UInt8(ascii: "\""))
                return
            }
            // Characters that could control a terminal are escaped, so that the text is safe to show.
            for scalar in text.unicodeScalars {
                if scalar.value >= 0x7F, scalar.steersTerminal {
                    writeEscape(scalar.value, to: &output)
                } else {
                    for byte in String(scalar).utf8 { writeByte(byte, to: &output) }
                }
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    private static func writeByte(_ byte: UInt8, to output: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""): output.append(contentsOf: "\\\"".utf8)
        case UInt8(ascii: "\\"): output.append(contentsOf: "\\\\".utf8)
        case 0x08: output.append(contentsOf: "\\b".utf8)
        case 0x09: output.append(contentsOf: "\\t".utf8)
        case 0x0A: output.append(contentsOf: "\\n".utf8)
        case 0x0C: output.append(contentsOf: "\\f".utf8)
        case 0x0D: output.append(contentsOf: "\\r".utf8)
        case 0..<0x20: writeEscape(UInt32(byte), to: &output)
        default: output.append(byte)
        }
    }

    private static func writeEscape(_ unit: UInt32, to output: inout [UInt8]) {
        output.append(contentsOf: "\\u\(hexadecimal(unit, width: 4))".utf8)
    }
}

extension Double {
    /// The number as Python's `repr` writes it: the shortest digits that read back the same, with an exponent only
    /// below 1e-4 and from 1e16.
    package var pythonDescription: String {
        if isNaN { return "nan" }
        if isInfinite { return self < 0 ? "-inf" : "inf" }
        if self == 0 { return sign == .minus ? "-0.0" : "0.0" }
        let (digits, exponent) = shortestDigits
        let sign = self < 0 ? "-" : ""
        // `exponent` is the power of ten of the first digit.
        if exponent < -4 || exponent >= 16 {
            let mantissa = digits.count > 1 ? "\(digits.prefix(1)).\(digits.dropFirst())" : digits
            let power = abs(exponent)
            return "\(sign)\(mantissa)e\(exponent < 0 ? "-" : "+")\(power < 10 ? "0" : "")\(power)"
        }
        if exponent < 0 { return "\(sign)0.\(String(repeating: "0", count: -exponent - 1))\(digits)" }
        if digits.count <= exponent + 1 {
            return "\(sign)\(digits)\(String(repeating: "0", count: exponent + 1 - digits.count)).0"
        }
        return "\(sign)\(digits.prefix(exponent + 1)).\(digits.dropFirst(exponent + 1))"
    }

    /// The shortest significant digits and the decimal exponent of the first one, taken from Swift's own description.
    private var shortestDigits: (digits: String, exponent: Int) {
        let text = magnitude.description
        let parts = text.split(separator: "e", maxSplits: 1)
        let written = parts.count == 2 ? Int(parts[1]) ?? 0 : 0
        let mantissa = parts[0].split(separator: ".", maxSplits: 1)
        let whole = mantissa[0]
        let fraction = mantissa.count == 2 ? mantissa[1] : ""
        let all = String(whole) + String(fraction)
        let leadingZeros = all.prefix(while: { $0 == "0" }).count
        var digits = String(all.dropFirst(leadingZeros))
        while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
        return (digits, whole.count - 1 - leadingZeros + written)
    }
}
