/// Writes text of any script in ASCII, character by character.
///
/// Latin with all its marks, Greek, Cyrillic, Armenian, Georgian, Hebrew, Arabic, the scripts of India, Thai, Hangul,
/// kana and Chinese characters are romanised. Digits and styled letters of all kinds become plain ones. A letter of
/// another script becomes `u` and its code point, so that names in it stay different and never become empty. Marks and
/// pictures are dropped; other signs separate words.
enum Transliteration {
    /// The placeholder for a mark in ``decompositions``.
    private static let mark: Unicode.Scalar = "◌"

    /// The text in ASCII, with a space or a hyphen for each sign that separates words.
    static func ascii(_ text: String) -> String {
        var output = ""
        for scalar in text.unicodeScalars { append(scalar, to: &output) }
        return output
    }

    /// The decomposition of a character, in which a space replaces every part that is not ASCII.
    static func asciiSkeleton(of scalar: Unicode.Scalar) -> String {
        if scalar.isASCII { return String(Character(scalar)) }
        guard let parts = decomposition[scalar] else { return " " }
        return String(String.UnicodeScalarView(parts.unicodeScalars.map { $0.isASCII ? $0 : " " }))
    }

    /// The character that an HTML 4 entity such as `eacute` represents.
    static func entity(named name: String) -> Unicode.Scalar? { entityScalars[name] }

    private static func append(_ scalar: Unicode.Scalar, to output: inout String) {
        if scalar.isASCII {
            output.unicodeScalars.append(scalar)
        } else if let parts = decomposition[scalar] {
            for part in parts.unicodeScalars where part != mark {
                if part.isASCII { output.unicodeScalars.append(part) } else { appendBase(part, to: &output) }
            }
        } else if (0xAC00...0xD7A3).contains(scalar.value) {
            appendHangul(scalar.value - 0xAC00, to: &output)
        } else {
            appendBase(scalar, to: &output)
        }
    }

    /// Appends the two or three letters of a Hangul syllable, which its code point gives by arithmetic.
    private static func appendHangul(_ offset: UInt32, to output: inout String) {
        let (initial, rest) = offset.quotientAndRemainder(dividingBy: 21 * 28)
        let (vowel, final) = rest.quotientAndRemainder(dividingBy: 28)
        for letter in [0x1100 + initial, 0x1161 + vowel, final == 0 ? nil : 0x11A7 + final] {
            if let letter = letter.flatMap(Unicode.Scalar.init) { appendBase(letter, to: &output) }
        }
    }

    private static func appendBase(_ scalar: Unicode.Scalar, to output: inout String) {
        if let text = roman[scalar] {
            output += text
        } else if let reading = reading(of: scalar) {
            output += reading
        } else {
            appendUnlisted(scalar, to: &output)
        }
    }

    /// The reading of a Chinese character, as a separate word.
    private static func reading(of scalar: Unicode.Scalar) -> String? {
        guard (0x4E00...0x9FFF).contains(scalar.value), let syllable = han[scalar] else { return nil }
        return "\(syllable.prefix(1).uppercased())\(syllable.dropFirst()) "
    }

    private static func appendUnlisted(_ scalar: Unicode.Scalar, to output: inout String) {
        // Above the basic plane there are only pictures and historic scripts.
        guard scalar.value < 0x10000 else { return }
        // These are the selectors after pictures, and spaces and joiners without width.
        if (0xFE00...0xFE0F).contains(scalar.value) || [0x200B, 0x2060].contains(scalar.value) {
            output += "-"
            return
        }
        if (0x2600...0x27BF).contains(scalar.value) {
            if isSeparatingPicture(scalar.value) { output += "-" }
            return
        }
        switch scalar.properties.generalCategory {
        case .control, .nonspacingMark, .enclosingMark, .format, .privateUse, .surrogate: return
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .otherLetter, .spacingMark, .letterNumber:
            output += "u\(String(scalar.value, radix: 16))"
        default: output += "-"
        }
    }

    /// The pictures that separate words: those that were added to Unicode after its version 3.
    private static func isSeparatingPicture(_ value: UInt32) -> Bool {
        switch value {
        case 0x2614...0x2618, 0x2672...0x2700, 0x275F...0x2760, 0x27B0, 0x27BF: true
        default: false
        }
    }

    // MARK: Tables

    private static let decomposition = parse(decompositions)
    private static let roman = parse(romanization)

    /// Reads a table of `characters:text` entries, separated by spaces or line breaks.
    private static func parse(_ table: String) -> [Unicode.Scalar: String] {
        var entries: [Unicode.Scalar: String] = [:]
        for line in table.utf8.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: " ") }) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let text = String(decoding: line[line.index(after: colon)...], as: UTF8.self)
            for scalar in String(decoding: line[..<colon], as: UTF8.self).unicodeScalars { entries[scalar] = text }
        }
        return entries
    }

    private static let han: [Unicode.Scalar: String] = {
        var entries: [Unicode.Scalar: String] = [:]
        entries.reserveCapacity(17_000)
        var syllable = ""
        var isNew = true
        for scalar in hanReadings.unicodeScalars where scalar != "\n" {
            if scalar.isASCII {
                if isNew { syllable = "" }
                isNew = false
                syllable.unicodeScalars.append(scalar)
            } else {
                isNew = true
                entries[scalar] = syllable
            }
        }
        return entries
    }()

    private static let entityScalars: [String: Unicode.Scalar] = {
        var scalars: [String: Unicode.Scalar] = [:]
        for entry in entities.split(whereSeparator: \.isWhitespace) {
            let parts = entry.split(separator: ":")
            if parts.count == 2, let scalar = UInt32(parts[1], radix: 16).flatMap(Unicode.Scalar.init) {
                scalars[String(parts[0])] = scalar
            }
        }
        return scalars
    }()
}
