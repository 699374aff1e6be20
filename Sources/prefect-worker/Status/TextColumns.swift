import PrefectJSON

/// Texts as a terminal shows them, in columns of equal width.
enum TextColumns {
    /// The columns that a character takes: none for a combining one, two for emoji and most of East Asian scripts.
    private static func width(_ scalar: Unicode.Scalar) -> Int {
        guard !scalar.isASCII else { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
            0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: return scalar.properties.isEmojiPresentation ? 2 : 1
        }
    }

    /// The columns that a text takes.
    static func width(_ text: String) -> Int { text.unicodeScalars.reduce(0) { $0 + width($1) } }

    /// A text without control characters that takes at most `limit` columns; an ellipsis replaces its end.
    static func cut(_ text: String, to limit: Int) -> String {
        let text = text.escapedForTerminal()
        guard width(text) > limit else { return text }
        var (kept, taken) = (String.UnicodeScalarView(), 0)
        for scalar in text.unicodeScalars {
            taken += width(scalar)
            guard taken < limit else { break }
            kept.append(scalar)
        }
        return String(kept) + (limit > 0 ? "…" : "")
    }

    /// The text cut or filled with spaces to a number of columns.
    static func pad(_ text: String, to count: Int) -> String {
        let text = cut(text, to: count)
        return text + String(repeating: " ", count: max(0, count - width(text)))
    }

    /// The text in lines of at most `limit` columns, each after `indent` spaces.
    static func wrap(_ text: String, to limit: Int, indent: Int) -> [String] {
        let room = max(1, limit - indent)
        var lines = [""]
        for word in text.escapedForTerminal().split(separator: " ") {
            let last = lines[lines.count - 1]
            if last.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if width(last) + 1 + width(String(word)) <= room {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines.map { String(repeating: " ", count: indent) + cut($0, to: room) }
    }
}
