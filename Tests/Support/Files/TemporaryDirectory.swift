internal import FoundationEssentials

/// A new empty directory, which is removed with its content when this object is released.
public final class TemporaryDirectory: Sendable {
    /// The path of the directory, which contains no links and is short enough for a Unix socket.
    public let path: String

    /// Creates the directory.
    public init() throws {
        path =
            FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path + "/pw-"
            + UUID().uuidString.lowercased().prefix(13)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of a file in the directory.
    public func file(_ name: String) -> String { path + "/" + name }

    /// Writes a file, and returns its path.
    @discardableResult
    public func write(_ name: String, _ text: String, mode: Int = 0o644) throws -> String {
        let file = file(name)
        try Data(text.utf8).write(to: URL(filePath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }

    /// The text of a file; `nil` when it cannot be read.
    public func read(_ name: String) -> String? {
        FileManager.default.contents(atPath: file(name)).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// Runs `body` with a new empty directory, and removes the directory with its contents afterwards.
///
/// - Parameter body: Receives the directory's path, which contains no links.
public func withTemporaryDirectory<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Result
) async throws -> Result {
    let directory = try TemporaryDirectory()
    defer { withExtendedLifetime(directory) {} }
    return try await body(directory.path)
}
