import FoundationEssentials

/// The text of the documentation.
enum Documentation {
    /// The directory of the package.
    static let root = #filePath.components(separatedBy: "/Tests/EndToEnd/")[0]

    /// The text of a file of the package.
    static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: "\(root)/\(path)")), as: UTF8.self)
    }

    /// The lines of the first indented block after a line that ends in `line`, without indentation and empty lines.
    static func block(after line: String, in path: String) throws -> [String] {
        try text(path).split(separator: "\n", omittingEmptySubsequences: false)
            .drop { !$0.hasSuffix(line) }.dropFirst()
            .drop { !$0.hasPrefix("    ") }.prefix { $0.hasPrefix("    ") || $0.isEmpty }
            .filter { !$0.isEmpty }.map { String($0.dropFirst(4)) }
    }
}
