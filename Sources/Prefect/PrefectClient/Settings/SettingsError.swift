internal import PrefectJSON

/// The reason why the settings cannot be used. Every description is one line. It names the setting, file or profile,
/// states the change to make, and never shows a secret.
public enum SettingsError: Error, Sendable, Hashable {
    /// A value is not of its kind, or out of its range.
    ///
    /// - Parameters:
    ///   - setting: The canonical name.
    ///   - source: The source of the value.
    ///   - found: The value, if it may be shown.
    ///   - expected: The requirement for the value.
    case invalidValue(setting: String, source: SettingSource, found: String?, expected: String)
    /// A file is not TOML; line and column count from 1.
    case malformedFile(path: String, line: Int, column: Int, reason: String)
    /// A file exists but cannot be read.
    case unreadableFile(path: String, reason: String)
    /// A key that groups settings holds a value that is not a table.
    case groupExpected(key: String, file: String)
    /// The requested profile does not exist.
    ///
    /// - Parameters:
    ///   - name: The profile.
    ///   - requestedBy: The option or variable that requests the profile.
    ///   - file: The profiles file.
    ///   - problem: The reason why the file has no profiles, if it has none.
    ///   - known: The existing profiles.
    case unknownProfile(name: String, requestedBy: String, file: String, problem: String?, known: [String])
    /// No source sets `PREFECT_API_URL`, for the profile with this name.
    case noAPI(profile: String)
}

extension SettingsError: CustomStringConvertible {
    /// The error as one line for the user.
    public var description: String { text.onOneLine }

    private var text: String {
        switch self {
        case .invalidValue(let setting, let source, let found, let expected):
            "\(setting) is not valid: expected \(expected)\(found.map { ", found \($0)" } ?? "") (set by \(source))"
        case .malformedFile(let path, let line, let column, let reason):
            "\(path) is not valid TOML: line \(line), column \(column): \(reason)"
        case .unreadableFile(let path, let reason):
            "\(path) cannot be read: \(reason)"
        case .groupExpected(let key, let file):
            "'\(key)' in \(file) groups settings and must be a table"
        case .unknownProfile(let name, let requestedBy, let file, let problem, let known):
            "the profile '\(name)', asked for with \(requestedBy), is not in \(file)\(problem.map { ", which \($0)" } ?? ""); "
                + "there are: \(known.joined(separator: ", "))"
        case .noAPI(let profile):
            "PREFECT_API_URL is not set, so there is no API to use; set it in the environment or in the profile "
                + "'\(profile)', or start one with `prefect server start` and set it to http://127.0.0.1:4200/api"
        }
    }
}
