import FoundationEssentials
import PrefectClient

/// A temporary directory with a working directory, a home and files in them. It is removed with the value.
final class SettingsDirectory {
    let path: String
    var work: String { path + "/work" }
    var home: String { path + "/home" }

    /// Writes files with paths relative to the directory. `@DIR@` in their text becomes the path of the directory.
    init(_ files: [String: String] = [:]) throws {
        path = FileManager.default.temporaryDirectory.path + "/settings-" + UUID().uuidString
        for directory in [work, home] {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        }
        for (name, text) in files {
            let file = URL(filePath: "\(path)/\(name)")
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.replacing("@DIR@", with: path).utf8).write(to: file)
        }
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Loads the settings as a process in the working directory would.
    func load(_ environment: [String: String] = [:], profile: String? = nil) throws(SettingsError) -> PrefectSettings {
        var all = environment.mapValues { $0.replacing("@DIR@", with: path) }
        if all["HOME"] == nil { all["HOME"] = home }
        return try PrefectSettings.load(environment: all, workingDirectory: work, profile: profile)
    }

    /// The message with which the settings are refused, with `@DIR@` for the path; `accepted` if they are valid.
    func refusal(_ environment: [String: String] = [:], profile: String? = nil) -> String {
        do {
            _ = try load(environment, profile: profile)
            return "accepted"
        } catch {
            return error.description.replacing(path, with: "@DIR@")
        }
    }
}

/// Loads the settings from an environment only.
func settings(_ environment: [String: String] = [:]) throws -> PrefectSettings {
    try SettingsDirectory().load(environment)
}

extension PrefectSettings {
    /// The variables for jobs, without the variable of the built-in profile.
    var jobVariables: [String: String] {
        var variables = Dictionary(uniqueKeysWithValues: environmentForJobs().map { ($0.name, $0.value) })
        variables["PREFECT_SERVER_EPHEMERAL_ENABLED"] = nil
        return variables
    }
}
