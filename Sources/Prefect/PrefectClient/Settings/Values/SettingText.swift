/// Prefect's rules for reading numbers, switches and paths from text.
package enum SettingText {
    /// Reads a switch: `true`, `1`, `on`, …. Returns `nil` for any other text, including text with surrounding space.
    package static func bool(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "1", "on", "t", "true", "y", "yes": true
        case "0", "off", "f", "false", "n", "no": false
        default: nil
        }
    }

    /// Reads a whole number of 64 bits. A sign, leading zeros, single underscores between digits, a fraction of zeros,
    /// and surrounding space are allowed.
    static func int(_ text: String) -> Int? {
        let parts = trimmed(text).split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, parts[1].isEmpty || parts[1].contains(where: { $0 != "0" }) { return nil }
        return withoutUnderscores(parts[0]).flatMap { Int($0) }
    }

    /// Reads a number as Python's `float` does; surrounding space is allowed.
    package static func double(_ text: String) -> Double? {
        guard let plain = withoutUnderscores(trimmed(text)) else { return nil }
        let unsigned = plain.drop { $0 == "-" || $0 == "+" }
        guard plain.count - unsigned.count <= 1 else { return nil }
        let isWord = ["inf", "infinity", "nan"].contains(unsigned.lowercased())
        guard isWord || unsigned.allSatisfy({ "0123456789.eE+-".contains($0) }) else { return nil }
        return Double(plain)
    }

    /// The path without empty and `.` components and without a trailing slash; `.` for an empty text. `..` stays.
    static func path(_ text: String) -> String {
        let slashes = text.prefix { $0 == "/" }.count
        let root = slashes == 2 ? "//" : slashes > 0 ? "/" : ""
        let components = text.split(separator: "/").filter { $0 != "." }
        let path = root + components.joined(separator: "/")
        return path.isEmpty ? "." : path
    }

    /// The path with a leading `~` replaced by the user's home directory. `~name` stays as it is.
    static func expandingHome(_ text: String, userHome: String) -> String {
        guard text == "~" || text.hasPrefix("~/") else { return text }
        return userHome + text.dropFirst()
    }

    /// The elements in the order of their code points, without duplicates.
    static func sortedUnique(_ items: some Sequence<String>) -> [String] {
        sorted(Set(items))
    }

    /// The elements in the order of their code points.
    static func sorted(_ items: some Sequence<String>) -> [String] {
        items.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    static func trimmed(_ text: some StringProtocol) -> String {
        var scalars = Substring(text).unicodeScalars
        while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
        while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
        return String(scalars)
    }

    /// The text without underscores; `nil` unless each underscore stands alone between digits.
    private static func withoutUnderscores(_ text: some StringProtocol) -> String? {
        var plain = ""
        var previous: Character = "_"
        for character in text {
            if character == "_" {
                guard previous.isASCII, previous.isNumber else { return nil }
            } else {
                if previous == "_", !plain.isEmpty, !(character.isASCII && character.isNumber) { return nil }
                plain.append(character)
            }
            previous = character
        }
        return previous == "_" ? nil : plain
    }
}
