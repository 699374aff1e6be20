import FoundationEssentials

/// Files that tests write.
enum TestFile {
    /// Writes a text into a file.
    static func write(_ text: String, to path: String, isExecutable: Bool = false) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
        if isExecutable {
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }
    }
}
