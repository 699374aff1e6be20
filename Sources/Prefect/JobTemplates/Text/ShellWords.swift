/// Splits a command line into words like a POSIX shell, without expanding anything. The result equals that of Python's
/// `shlex.split`.
package enum ShellWords {
    /// The reason why a command line cannot be split.
    package enum Failure: Error, Hashable {
        case noClosingQuotation
        case noEscapedCharacter
    }

    private enum Mode {
        case between
        case word
        case quoted(Unicode.Scalar)
    }

    /// The words of a command line.
    package static func split(_ line: String) throws(Failure) -> [String] {
        var words: [String] = []
        var word = String.UnicodeScalarView()
        var mode = Mode.between
        var scalars = line.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            switch (mode, scalar) {
            case (.between, " "), (.between, "\t"), (.between, "\r"), (.between, "\n"):
                continue
            case (.word, " "), (.word, "\t"), (.word, "\r"), (.word, "\n"):
                words.append(String(word))
                word.removeAll()
                mode = .between
            case (.between, "'"), (.between, "\""), (.word, "'"), (.word, "\""):
                mode = .quoted(scalar)
            case (.between, "\\"), (.word, "\\"):
                guard let escaped = scalars.next() else { throw .noEscapedCharacter }
                word.append(escaped)
                mode = .word
            case (.quoted(let quote), scalar) where scalar == quote:
                mode = .word
            case (.quoted("\""), "\\"):
                guard let escaped = scalars.next() else { throw .noEscapedCharacter }
                // Within double quotes a backslash escapes only itself and the quote.
                if escaped != "\\", escaped != "\"" { word.append("\\") }
                word.append(escaped)
            case (.quoted, _):
                word.append(scalar)
            case (.between, _), (.word, _):
                word.append(scalar)
                mode = .word
            }
        }
        switch mode {
        case .between: break
        case .word: words.append(String(word))
        case .quoted: throw .noClosingQuotation
        }
        return words
    }
}
