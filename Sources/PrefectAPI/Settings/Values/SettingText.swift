/// How Prefect reads numbers, switches and paths from text.
package enum SettingText {
    /// `true`, `1`, `on`, …; `nil` for anything else, surrounding space included.
    package static func bool(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "1", "on", "t", "true", "y", "yes": true
        case "0", "off", "f", "false", "n", "no": false
        default: nil
        }
    }

    /// A whole number of 64 bits: with a sign, leading zeros, single underscores between digits or a fraction of
    /// zeros, and with space around it.
    static func int(_ text: String) -> Int? {
        let parts = trimmed(text).split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, parts[1].isEmpty || parts[1].contains(where: { $0 != "0" }) { return nil }
        return withoutUnderscores(parts[0]).flatMap { Int($0) }
    }

    /// A number as Python's `float` reads it, with space around it.
    package static func double(_ text: String) -> Double? {
        guard let plain = withoutUnderscores(trimmed(text)) else { return nil }
        let unsigned = plain.drop { $0 == "-" || $0 == "+" }
        guard plain.count - unsigned.count <= 1 else { return nil }
        let isWord = ["inf", "infinity", "nan"].contains(unsigned.lowercased())
        guard isWord || unsigned.allSatisfy({ "0123456789.eE+-".contains($0) }) else { return nil }
        return Double(plain)
    }

    /// A path without empty and `.` components and without a slash at its end; `.` for an empty text. `..` stays.
    static func path(_ text: String) -> String {
        let slashes = text.prefix { $0 == "/" }.count
        let root = slashes == 2 ? "//" : slashes > 0 ? "/" : ""
        let components = text.split(separator: "/").filter { $0 != "." }
        let path = root + components.joined(separator: "/")
        return path.isEmpty ? "." : path
    }

    /// A path whose leading `~` is replaced by the user's home directory. `~name` stays as it is.
    static func expandingHome(_ text: String, userHome: String) -> String {
        guard text == "~" || text.hasPrefix("~/") else { return text }
        return userHome + text.dropFirst()
    }

    /// The elements in the order of their code points, each once.
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

    /// The text without underscores, which may only stand singly between digits.
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
