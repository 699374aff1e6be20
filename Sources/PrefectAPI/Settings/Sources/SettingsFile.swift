internal import FoundationEssentials

/// Reads the files that hold settings.
enum SettingsFile {
    /// The largest file that is read.
    static let maximumBytes = 4 << 20

    /// The text of a file; `nil` where there is none, or a directory: `.env` is often that of a virtual environment.
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

    /// Whether a directory has the name of a file.
    static func isDirectory(_ path: String) -> Bool {
        var isDirectory = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory
    }

    /// The path of a file named relative to a directory.
    static func resolve(_ path: String, in directory: String) -> String {
        if path.hasPrefix("/") { return path }
        return directory.hasSuffix("/") ? directory + path : "\(directory)/\(path)"
    }
}
