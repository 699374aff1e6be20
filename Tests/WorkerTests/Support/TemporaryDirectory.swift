import Foundation

/// A new empty directory, which is removed when this object is released.
final class TemporaryDirectory: Sendable {
    /// The path of the directory, without symbolic links.
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path + "/pw-"
            + UUID().uuidString.lowercased().prefix(13)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
