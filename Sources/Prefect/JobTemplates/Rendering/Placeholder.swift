/// A placeholder `{{ name }}` in a text.
struct Placeholder {
    /// The source of the value, determined by the start of the name.
    enum Kind {
        /// A job variable, or a part of one: `{{ image }}`, `{{ env.FOO }}`, `{{ volumes[0] }}`.
        case standard
        /// A block document, or a part of its data: `{{ prefect.blocks.secret.token }}`.
        case block
        /// A Prefect variable: `{{ prefect.variables.region }}`.
        case variable
        /// A variable of the worker's own environment: `{{ $HOME }}`.
        case environment
    }

    static let blockPrefix = "prefect.blocks."
    static let variablePrefix = "prefect.variables."

    let name: String
    let kind: Kind
    /// The range of the placeholder in the text, braces included.
    let range: Range<String.Index>

    init(name: String, range: Range<String.Index>) {
        self.name = name
        self.range = range
        // Bytes are compared, because a character may extend past the end of the prefix.
        if name.utf8.starts(with: Self.blockPrefix.utf8) {
            kind = .block
        } else if name.utf8.starts(with: Self.variablePrefix.utf8) {
            kind = .variable
        } else if name.utf8.first == UInt8(ascii: "$") {
            kind = .environment
        } else {
            kind = .standard
        }
    }

    /// The placeholder as messages show it.
    var description: String { "{{ \(name) }}" }

    /// The name without its leading `$`.
    var environmentName: String { String(decoding: name.utf8.drop(while: { $0 == UInt8(ascii: "$") }), as: UTF8.self) }
}

extension Placeholder {
    /// The placeholders of a text, from left to right.
    ///
    /// A name of letters, digits and `_.-[]$` is between the braces, with optional white space, including line breaks,
    /// around it. Anything else, such as a filter, is text and not a placeholder.
    static func all(in text: String) -> [Placeholder] {
        // Most texts contain no placeholder.
        guard text.utf8.contains(UInt8(ascii: "{")) else { return [] }
        let scalars = text.unicodeScalars
        var found: [Placeholder] = []
        var position = scalars.startIndex
        while position < scalars.endIndex {
            if let placeholder = match(scalars, at: position) {
                found.append(placeholder)
                position = placeholder.range.upperBound
            } else {
                scalars.formIndex(after: &position)
            }
        }
        return found
    }

    /// Whether this placeholder is the whole of the text.
    func isWhole(of text: String) -> Bool { range == text.startIndex..<text.endIndex }

    private static func match(_ text: String.UnicodeScalarView, at start: String.Index) -> Placeholder? {
        guard let opened = skip("{", twiceIn: text, from: start) else { return nil }
        let nameStart = text[opened...].firstIndex { !isSpace($0) } ?? text.endIndex
        let nameEnd = text[nameStart...].firstIndex { !isNamePart($0) } ?? text.endIndex
        guard nameStart < nameEnd else { return nil }
        let afterSpace = text[nameEnd...].firstIndex { !isSpace($0) } ?? text.endIndex
        guard let end = skip("}", twiceIn: text, from: afterSpace) else { return nil }
        return Placeholder(name: String(text[nameStart..<nameEnd]), range: start..<end)
    }

    private static func skip(
        _ scalar: Unicode.Scalar, twiceIn text: String.UnicodeScalarView, from start: String.Index
    ) -> String.Index? {
        guard start < text.endIndex, text[start] == scalar else { return nil }
        let second = text.index(after: start)
        guard second < text.endIndex, text[second] == scalar else { return nil }
        return text.index(after: second)
    }

    private static func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", ".", "-", "[", "]", "$": return true
        default: break
        }
        guard scalar.value >= 0x80 else { return false }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return true
        default: return scalar.properties.numericType != nil
        }
    }

    /// White space as in Python's `\s`.
    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }
}
