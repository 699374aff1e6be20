package import OrderedCollections
package import PrefectJSON
internal import PrefectTOML

/// A TOML file as JSON values. Dates and times become strings, and tables lose the order of their keys.
package struct TOMLDocument: Sendable, Hashable {
    package typealias Table = OrderedDictionary<String, JSONValue>

    /// The path of the file.
    package let path: String
    /// The top-level table.
    package let root: Table

    /// Reads a file; `nil` if it does not exist.
    package init?(reading path: String) throws(SettingsError) {
        guard let text = try SettingsFile.read(path) else { return nil }
        try self.init(parsing: text, path: path)
    }

    /// Parses the text of a file.
    init(parsing text: String, path: String) throws(SettingsError) {
        self.path = path
        // A file with a NUL is seldom meant as text: a crash of the machine may have emptied its blocks.
        if let line = Self.lineOfNUL(in: text) {
            throw .malformedFile(path: path, line: line, column: 1, reason: "the line holds a NUL character")
        }
        do {
            root = try TOMLReader.table(in: Array(text.utf8))
        } catch {
            throw .malformedFile(path: path, line: error.line, column: error.column, reason: error.reason)
        }
    }

    /// The table at a path of keys; `nil` if it is missing or not a table.
    func table(_ keys: [String]) -> Table? {
        var table = root
        for key in keys {
            guard let inner = table[key]?.objectValue else { return nil }
            table = inner
        }
        return table
    }

    private static func lineOfNUL(in text: String) -> Int? {
        guard let nul = text.utf8.firstIndex(of: 0) else { return nil }
        return text.utf8[..<nul].count { $0 == UInt8(ascii: "\n") } + 1
    }
}
