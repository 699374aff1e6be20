/// The path of a request, percent-encoded. A value in a string interpolation is encoded, so it stays within its part of
/// the path, whatever characters it has:
///
/// ```swift
/// let path: RequestPath = "/containers/\(name)/json"
/// ```
package struct RequestPath: Sendable, Hashable, ExpressibleByStringInterpolation, CustomStringConvertible {
    /// The path as it is sent. It begins with a slash.
    package let encoded: String

    /// Takes a path that is encoded already.
    package init(encoded: String) {
        self.encoded = encoded
    }

    /// Makes a path of single parts, each of which may have any characters. An empty last part makes a trailing slash.
    package init(parts: some Sequence<String>) {
        encoded = parts.map { "/" + PercentEncoding.encode($0) }.joined()
    }

    /// Takes a literal, which must be encoded already.
    package init(stringLiteral value: String) {
        encoded = value
    }

    /// Takes a literal with values between its fixed words.
    package init(stringInterpolation: Interpolation) {
        encoded = stringInterpolation.text
    }

    /// The path as it is sent.
    package var description: String { encoded }

    /// Collects the fixed words and the values of a path.
    package struct Interpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        /// Creates an empty path.
        package init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity)
        }

        /// Appends a fixed word.
        package mutating func appendLiteral(_ literal: String) {
            text += literal
        }

        /// Appends a value.
        ///
        /// - Parameters:
        ///   - value: The value, not encoded.
        ///   - others: The reserved characters that are not encoded, such as `/` in the name of an image.
        package mutating func appendInterpolation(_ value: String, keeping others: String = "") {
            text += PercentEncoding.encode(value, keeping: others)
        }
    }
}

/// Percent-encoding of single path and query parts.
package enum PercentEncoding {
    /// A part of a path, with all bytes encoded except letters, digits, `-._~` and `others`. A part that consists only of
    /// dots is encoded too, because it would be removed as a relative path.
    package static func encode(_ text: String, keeping others: String = "") -> String {
        let hasOnlyDots = text.utf8.allSatisfy { $0 == UInt8(ascii: ".") }
        return encode(text) { (isUnreserved($0) || others.utf8.contains($0)) && !hasOnlyDots }
    }

    /// A name or value of a query, with all bytes encoded except letters, digits and `-._~`, as signatures require.
    package static func encodeInQuery(_ text: String) -> String {
        encode(text, keeping: isUnreserved)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch Unicode.Scalar(byte) {
        case "A"..."Z", "a"..."z", "0"..."9", "-", ".", "_", "~": true
        default: false
        }
    }

    private static func encode(_ text: String, keeping isKept: (UInt8) -> Bool) -> String {
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            if isKept(byte) {
                encoded.append(byte)
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                encoded.append(contentsOf: "%\(digits.count == 1 ? "0" : "")\(digits)".utf8)
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
