internal import FoundationEssentials

/// Runs `body` with a new empty directory, and removes the directory with its contents afterwards.
///
/// - Parameter body: Receives the directory's path, which contains no links.
public func withTemporaryDirectory<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Result
) async throws -> Result {
    let path =
        FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path + "/pw-"
        + UUID().uuidString.lowercased().prefix(13)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}
