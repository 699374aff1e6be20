/// The variables of a `.env` file, which has one `NAME=value` per line. The file may contain `export`, comments, and
/// quotes that span lines. Values may contain `${NAME}` or `${NAME:-default}`, quoted or not.
struct DotenvFile: Sendable {
    /// The variables in the order of the file. The last value of a repeated variable counts. Names without `=` are
    /// omitted.
    private(set) var variables: [(key: String, value: String)] = []
    /// The numbers of the lines that have another form and are skipped, counted from 1.
    private(set) var skippedLines: [Int] = []
    /// Whether the references in values expand to more text than ``maximumExpansion``. The rest of the file is then not
    /// read.
    private(set) var isTooLarge = false
    private var values: [String: String] = [:]

    /// The maximum number of bytes that the references in all values may expand to. Without it, a few lines that refer
    /// to each other could expand to gigabytes.
    static let maximumExpansion = 1 << 20

    /// Parses the text of a file. `environment` provides the variables that the file itself does not define.
    init(parsing text: String, environment: [String: String]) {
        var scanner = DotenvScanner(text)
        var budget = Self.maximumExpansion
        while !isTooLarge, let statement = scanner.nextStatement() {
            switch statement {
            case .assignment(let name, let value):
                guard let value = Self.expand(value, within: &budget, lookup: { self[$0] ?? environment[$0] }) else {
                    isTooLarge = true
                    break
                }
                variables.append((key: name, value: value))
                values[name] = value
            case .nothing: continue
            case .skipped(let line): skippedLines.append(line)
            }
        }
    }

    /// The value of a variable.
    subscript(name: String) -> String? { values[name] }

    /// Replaces `${NAME}` and `${NAME:-default}` with the values of the variables; an unknown variable is empty.
    /// Returns `nil` when the values have more bytes than the remaining budget.
    private static func expand(_ text: String, within budget: inout Int, lookup: (String) -> String?) -> String? {
        guard text.contains("${") else { return text }
        var output = ""
        var rest = text[...]
        while let start = rest.ranges(of: "${").first {
            output += rest[..<start.lowerBound]
            let inside = rest[start.upperBound...]
            let name = inside.prefix { $0 != "}" && $0 != ":" }
            var end = name.endIndex
            var fallback: Substring = ""
            if inside[end...].hasPrefix(":-") {
                fallback = inside[inside.index(end, offsetBy: 2)...].prefix { $0 != "}" }
                end = fallback.endIndex
            }
            guard end < inside.endIndex, inside[end] == "}" else {
                // This is not a reference: the two characters stay as they are.
                output += "${"
                rest = inside
                continue
            }
            let value = lookup(String(name)) ?? String(fallback)
            budget -= min(budget + 1, value.utf8.count)
            if budget < 0 { return nil }
            output += value
            rest = inside[inside.index(after: end)...]
        }
        return output + rest
    }
}

private struct DotenvScanner {
    enum Statement {
        case assignment(name: String, value: String)
        case nothing
        case skipped(line: Int)
    }

    private struct Malformed: Error {}

    private let scalars: [Unicode.Scalar]
    private var position = 0

    init(_ text: String) {
        // The scanner uses Unicode scalars, because a carriage return and a line feed together are one Character.
        var scalars: [Unicode.Scalar] = []
        for scalar in text.unicodeScalars {
            if scalar == "\n", scalars.last == "\r" { scalars.removeLast() }
            scalars.append(scalar)
        }
        self.scalars = scalars.map { $0 == "\r" ? "\n" : $0 }
        if self.scalars.first == "\u{FEFF}" { position = 1 }
    }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take(while condition: (Unicode.Scalar) -> Bool) -> String {
        var taken = String.UnicodeScalarView()
        while let scalar = next, condition(scalar) {
            taken.append(scalar)
            position += 1
        }
        return String(taken)
    }

    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool { scalar != "\n" && scalar.properties.isWhitespace }

    mutating func nextStatement() -> Statement? {
        _ = take(while: \.properties.isWhitespace)
        guard next != nil else { return nil }
        let start = position
        do {
            return try statement()
        } catch {
            // The rest of the line at which parsing stopped is skipped too.
            _ = take { $0 != "\n" }
            return .skipped(line: scalars[..<start].count { $0 == "\n" } + 1)
        }
    }

    private mutating func statement() throws(Malformed) -> Statement {
        skipExport()
        let name = try name()
        _ = take(while: Self.isBlank)
        var value: String?
        if next == "=" {
            position += 1
            let blanks = take(while: Self.isBlank)
            value = !blanks.isEmpty && next == "#" ? "" : try self.value()
        }
        _ = take(while: Self.isBlank)
        if next == "#" { _ = take { $0 != "\n" } }
        guard next == nil || next == "\n" else { throw Malformed() }
        guard let name, let value else { return .nothing }
        return .assignment(name: name, value: value)
    }

    private mutating func skipExport() {
        let start = position
        if take(while: { !$0.properties.isWhitespace && $0 != "=" }) == "export", !take(while: Self.isBlank).isEmpty {
            return
        }
        position = start
    }

    private mutating func name() throws(Malformed) -> String? {
        if next == "#" { return nil }
        let name: String
        if next == "'" {
            position += 1
            name = take { $0 != "'" }
            guard next == "'" else { throw Malformed() }
            position += 1
        } else {
            name = take { $0 != "=" && $0 != "#" && !$0.properties.isWhitespace }
        }
        if name.isEmpty { throw Malformed() }
        return name
    }

    private mutating func value() throws(Malformed) -> String {
        switch next {
        case "'": return try quoted(by: "'", escapes: ["\\": "\\", "'": "'"])
        case "\"":
            return try quoted(
                by: "\"",
                escapes: [
                    "\\": "\\", "'": "'", "\"": "\"", "a": "\u{07}", "b": "\u{08}", "f": "\u{0C}", "n": "\n", "r": "\r",
                    "t": "\t", "v": "\u{0B}",
                ])
        default: return unquoted()
        }
    }

    private mutating func quoted(
        by quote: Unicode.Scalar, escapes: [Unicode.Scalar: Unicode.Scalar]
    ) throws(Malformed) -> String {
        let start = position
        position += 1
        var value = String.UnicodeScalarView()
        while let scalar = next {
            position += 1
            if scalar == quote { return String(value) }
            guard scalar == "\\", let escaped = next else {
                value.append(scalar)
                continue
            }
            position += 1
            if let meaning = escapes[escaped] {
                value.append(meaning)
            } else {
                value.append(scalar)
                value.append(escaped)
            }
        }
        // The quote is never closed: only the line with the opening quote is skipped.
        position = start
        throw Malformed()
    }

    /// The rest of the line, up to a `#` that follows a blank.
    private mutating func unquoted() -> String {
        let line = Array(take { $0 != "\n" }.unicodeScalars)
        var end = line.count
        for index in line.indices.dropFirst() where line[index] == "#" && line[index - 1].properties.isWhitespace {
            end = index
            break
        }
        return SettingText.trimmed(String(String.UnicodeScalarView(line[..<end])))
    }
}
