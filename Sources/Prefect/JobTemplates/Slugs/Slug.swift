/// Names that are safe for their place of use, the same ones that the Python worker produces.
///
/// A slug is the text in ASCII; see `Transliteration` for the scripts. Every character that the place does not accept
/// becomes a hyphen. A slug has no hyphens in a row, at the start or at the end. HTML entities are decoded.
public enum Slug {
    /// The number of bytes that are read of a text whose slug has a length limit. Later characters could not appear in
    /// it.
    package static let longestText = 16_384

    /// The general slug, in lower case, for a worker's resource id in events.
    public static func make(_ text: String) -> String {
        make(text, lowercased: true, allowing: "")
    }

    /// A text without these characters at its start and its end.
    public static func trim(_ slug: String, of characters: String) -> String {
        let start = slug.drop { characters.contains($0) }
        let end = start.lastIndex { !characters.contains($0) }
        return end.map { String(start[...$0]) } ?? ""
    }

    /// A slug by the rules of a place.
    ///
    /// - Parameters:
    ///   - lowercased: Whether letters become lower case.
    ///   - extra: The ASCII characters that the place accepts besides letters, digits and hyphens.
    ///   - maximumLength: The maximum length in bytes. Only the first 16 KiB of a longer text are read.
    public static func make(
        _ text: String, lowercased: Bool, allowing extra: String, maximumLength: Int? = nil
    ) -> String {
        let allowed = Set(extra.utf8)
        let text = maximumLength == nil ? text : text.prefix(bytes: longestText)
        var slug: [UInt8] = []
        for byte in cleaned(text) {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): slug.append(lowercased ? byte + 32 : byte)
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): slug.append(byte)
            case _ where allowed.contains(byte): slug.append(byte)
            default: if let last = slug.last, last != UInt8(ascii: "-") { slug.append(UInt8(ascii: "-")) }
            }
        }
        if slug.last == UInt8(ascii: "-") { slug.removeLast() }
        if let maximumLength, slug.count >= maximumLength {
            slug.removeSubrange(maximumLength...)
            if slug.last == UInt8(ascii: "-") { slug.removeLast() }
        }
        return String(decoding: slug, as: UTF8.self)
    }

    /// The text in ASCII with its entities decoded, without apostrophes and without commas between digits.
    private static func cleaned(_ text: String) -> [UInt8] {
        // An apostrophe in the text separates words. One that comes from another character (’) or an entity is dropped.
        let quoted = String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "'" ? "-" : $0 }))
        var scalars = Array(Transliteration.ascii(quoted).unicodeScalars)
        if scalars.contains("&") {
            scalars = EntityDecoder.decode(scalars).flatMap { Transliteration.asciiSkeleton(of: $0).unicodeScalars }
        }
        let bytes = scalars.compactMap { scalar -> UInt8? in
            if scalar == "'" { return nil }
            return scalar.isASCII ? UInt8(ascii: scalar) : UInt8(ascii: "-")
        }
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        return bytes.indices.compactMap { index in
            let isThousands =
                bytes[index] == UInt8(ascii: ",") && index > 0 && digits.contains(bytes[index - 1])
                && index + 1 < bytes.count && digits.contains(bytes[index + 1])
            return isThousands ? nil : bytes[index]
        }
    }
}

extension String {
    /// The longest prefix of the text that has at most this many bytes.
    package func prefix(bytes: Int) -> String {
        utf8.count > bytes ? String(decoding: utf8.prefix(bytes), as: UTF8.self) : self
    }
}

/// Decodes HTML character references: first names, then decimal numbers, then hexadecimal ones.
enum EntityDecoder {
    static func decode(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        let named = replace(in: text) { name in
            var view = String.UnicodeScalarView()
            view.append(contentsOf: name)
            return .some(Transliteration.entity(named: String(view)))
        }
        let decimal = replaceNumbers(in: named ?? text, prefix: ["#"], radix: 10)
        return replaceNumbers(in: decimal, prefix: ["#", "x"], radix: 16)
    }

    /// Replaces the numbers of one kind. If one of them is not a character, all of that kind stay unchanged.
    private static func replaceNumbers(
        in text: [Unicode.Scalar], prefix: [Unicode.Scalar], radix: UInt32
    ) -> [Unicode.Scalar] {
        let replaced = replace(in: text) { name in
            guard name.starts(with: prefix), name.count > prefix.count else { return .some(nil) }
            var value: UInt32 = 0
            for scalar in name.dropFirst(prefix.count) {
                guard scalar.isASCII, let digit = Character(scalar).hexDigitValue, digit < radix else {
                    return .some(nil)
                }
                if value <= 0x10FFFF { value = value * radix + UInt32(digit) }
            }
            guard value <= 0x10FFFF else { return nil }
            return .some(Unicode.Scalar(value) ?? "\u{FFFD}")
        }
        return replaced ?? text
    }

    /// Replaces each `&name;` with the result of `lookup`: a character, `.some(nil)` to keep the reference, `nil` to
    /// give up.
    private static func replace(
        in text: [Unicode.Scalar], lookup: (ArraySlice<Unicode.Scalar>) -> Unicode.Scalar??
    ) -> [Unicode.Scalar]? {
        var output: [Unicode.Scalar] = []
        var position = 0
        while position < text.count {
            if text[position] == "&" {
                let end = text[(position + 1)...].firstIndex { !isNamePart($0) } ?? text.count
                if end < text.count, text[end] == ";", end > position + 1 {
                    guard let result = lookup(text[(position + 1)..<end]) else { return nil }
                    if let scalar = result {
                        output.append(scalar)
                        position = end + 1
                        continue
                    }
                }
            }
            output.append(text[position])
            position += 1
        }
        return output
    }

    private static func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "#": true
        default: false
        }
    }
}
