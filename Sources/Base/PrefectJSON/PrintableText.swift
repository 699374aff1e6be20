internal import Notation

extension String {
    /// The text with every character escaped that could control a terminal or change how a line reads. These are the C0
    /// and C1 controls, and the marks that reverse the direction of writing. C1 holds a one-character form of "escape
    /// [".
    ///
    /// - Parameter keepingLines: Whether newline and tab stay unescaped.
    package func escapedForTerminal(keepingLines: Bool = false) -> String {
        guard unicodeScalars.contains(where: { $0.steersTerminal }) else { return self }
        var text = ""
        text.unicodeScalars.reserveCapacity(unicodeScalars.count)
        for scalar in unicodeScalars {
            if !scalar.steersTerminal || (keepingLines && (scalar == "\n" || scalar == "\t")) {
                text.unicodeScalars.append(scalar)
            } else {
                text += scalar.visibleEscape
            }
        }
        return text
    }

    /// The text on one line. Each character that ``escapedForTerminal(keepingLines:)`` escapes is replaced by a space.
    package var onOneLine: String {
        guard unicodeScalars.contains(where: { $0.steersTerminal }) else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.map { $0.steersTerminal ? " " : $0 }))
    }
}

extension Unicode.Scalar {
    /// Whether a terminal may interpret the character instead of showing it.
    var steersTerminal: Bool {
        switch value {
        case 0x00...0x1F, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    fileprivate var visibleEscape: String {
        switch self {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default: return value < 0x100 ? "\\x\(hexadecimal(value, width: 2))" : "\\u\(hexadecimal(value, width: 4))"
        }
    }
}
