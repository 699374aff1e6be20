package import JSON
package import OrderedCollections
internal import TOMLKit

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
        // The parser reads a C string, and would silently stop at a NUL.
        if let line = Self.lineOfNUL(in: text) {
            throw .malformedFile(path: path, line: line, column: 1, reason: "the line holds a NUL character")
        }
        if let finding = TOMLGuard.finding(in: text) {
            throw .malformedFile(path: path, line: finding.line, column: finding.column, reason: finding.reason)
        }
        do {
            root = Self.convert(try TOMLTable(string: text))
        } catch let error as TOMLParseError {
            let position = error.source.begin
            throw .malformedFile(
                path: path, line: position.line, column: position.column, reason: Self.withoutQuotes(error.description))
        } catch {
            throw .unreadableFile(path: path, reason: "parsing it fails")
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

    /// The parser's explanation without the quoted pieces of the file, which may belong to a secret.
    private static func withoutQuotes(_ description: String) -> String {
        let parts = description.split(separator: "'", omittingEmptySubsequences: false)
        guard parts.count > 2 else { return description }
        var output = ""
        for (index, part) in parts.enumerated() {
            if index.isMultiple(of: 2) {
                output += part
            } else {
                output += part.count <= 2 ? "'\(part)'" : "'...'"
            }
        }
        return output
    }

    private static func convert(_ table: TOMLTable) -> Table {
        var members: Table = [:]
        for key in table.keys {
            if let value = table[key] { members[key] = convert(value) }
        }
        return members
    }

    private static func convert(_ value: any TOMLValueConvertible) -> JSONValue {
        switch value.type {
        case .table: return .object(value.table.map(convert) ?? [:])
        case .array: return .array(value.array.map { array in array.map { convert($0) } } ?? [])
        case .string: return .string(value.string ?? "")
        case .int: return .int(value.int ?? 0)
        case .double: return .double(value.double ?? 0)
        case .bool: return .bool(value.bool ?? false)
        case .date, .time, .dateTime: return .string(value.debugDescription)
        }
    }
}
