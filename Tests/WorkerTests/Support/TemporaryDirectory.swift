import Foundation

/// A new empty folder, which goes with whoever holds it.
final class TemporaryDirectory: Sendable {
    /// The folder, without links in its path.
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path + "/pw-"
            + UUID().uuidString.lowercased().prefix(13)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
