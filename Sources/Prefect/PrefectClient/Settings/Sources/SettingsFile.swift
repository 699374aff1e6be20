internal import FoundationEssentials

/// Reads the files that hold settings.
enum SettingsFile {
    /// The maximum size of a file that is read.
    static let maximumBytes = 4 << 20

    /// Reads the text of a file. Returns `nil` if the path does not exist, or is a directory: `.env` is often the
    /// directory of a virtual environment.
    static func read(_ path: String) throws(SettingsError) -> String? {
        var isDirectory = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory else { return nil }
        let data: Data
        do {
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
            if let size, size > maximumBytes {
                throw SettingsError.unreadableFile(path: path, reason: "it is larger than \(maximumBytes) bytes")
            }
            data = try Data(contentsOf: URL(filePath: path))
        } catch let error as SettingsError {
            throw error
        } catch let error as CocoaError where error.code == .fileReadNoPermission {
            throw .unreadableFile(path: path, reason: "permission denied; let the user of the worker read it")
        } catch {
            throw .unreadableFile(path: path, reason: "reading it fails")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw .unreadableFile(path: path, reason: "it is not UTF-8 text")
        }
        return text
    }

    /// Whether the path is a directory.
    static func isDirectory(_ path: String) -> Bool {
        var isDirectory = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory
    }

    /// Resolves the path of a file relative to a directory.
    static func resolve(_ path: String, in directory: String) -> String {
        if path.hasPrefix("/") { return path }
        return directory.hasSuffix("/") ? directory + path : "\(directory)/\(path)"
    }
}
