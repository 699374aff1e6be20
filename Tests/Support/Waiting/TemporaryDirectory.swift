internal import FoundationEssentials

/// Runs something with a new empty folder and removes the folder with all it holds afterwards.
///
/// - Parameter body: Gets the folder's path, without links in it.
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
