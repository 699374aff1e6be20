import Foundation
import Testing

@Suite("The code in the articles")
struct ArticleTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../..").standardizedFileURL

    private static func files(below directory: String, where isWanted: (String) -> Bool) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: directory).path)
            .filter { !$0.contains(".build") && isWanted($0) }.map { "\(directory)/\($0)" }.sorted()
    }

    /// The lines of a file, without the indentation.
    private static func lines(of path: String) throws -> [String] {
        try String(contentsOf: root.appending(path: path), encoding: .utf8).components(separatedBy: "\n")
            .map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// The fenced blocks of Swift code of an article.
    private static func blocks(of path: String) throws -> [[String]] {
        var blocks: [[String]] = []
        var open: [String]?
        for line in try lines(of: path) {
            switch (line, open) {
            case ("```swift", nil): open = []
            case ("```", let block?):
                blocks.append(block)
                open = nil
            case (_, nil): break
            case (_, _?): open?.append(line)
            }
        }
        #expect(open == nil, "\(path) has a block without an end")
        return blocks
    }

    @Test("each block of Swift code is part of a file of the examples, which are compiled")
    func blocks() throws {
        let sources = try Self.files(below: "examples") { $0.hasSuffix(".swift") && !$0.hasSuffix("Package.swift") }
            .map(Self.lines)
        var count = 0
        for article in try Self.files(below: "Sources", where: { $0.hasSuffix(".md") }) {
            for block in try Self.blocks(of: article) {
                count += 1
                let isCompiled = sources.contains { $0.firstRange(of: block) != nil }
                #expect(isCompiled, "no example contains the code of \(article):\n\(block.joined(separator: "\n"))")
            }
        }
        #expect(count > 5)
    }
}
