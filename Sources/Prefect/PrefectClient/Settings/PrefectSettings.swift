/// The effective values of Prefect's settings for this process.
///
/// The sources, in order of precedence, are the environment, `.env`, `prefect.toml`, `pyproject.toml`
/// (`[tool.prefect]`), the active profile and Prefect's defaults. A printed, dumped or mirrored value of this type
/// never shows a secret.
public struct PrefectSettings: Sendable {
    /// A setting that a source has set, and the source.
    package struct Assignment: Sendable, Hashable {
        /// The setting.
        package let setting: SettingDefinition
        /// Its parsed value.
        package let value: SettingValue
        /// The source of the value.
        package let source: SettingSource
    }

    /// The name of the active profile.
    public let profileName: String
    /// The path of the profiles file, even if the file does not exist.
    public let profilesFile: String
    /// Warnings for the user, one line each. None of them prevents the use of the settings.
    public let warnings: [String]

    /// The settings of integrations.
    public let integrations: IntegrationSettings

    /// The assignments by TOML path.
    let assigned: [String: Assignment]
    /// The base directory of relative paths.
    let workingDirectory: String
    /// `SSL_CERT_FILE` of the environment.
    let systemCertificateFile: String?
    /// The user's home directory.
    let userHome: String

    /// The assignments in Prefect's order; settings at their defaults are omitted.
    package var assignments: [Assignment] { SettingDefinition.all.compactMap { assigned[$0.path] } }

    /// The source of a setting's value.
    ///
    /// - Parameter name: The canonical environment variable.
    /// - Returns: The source; `nil` if there is no such setting.
    package func source(of name: String) -> SettingSource? {
        guard let setting = SettingDefinition.byEnvironmentName[name] else { return nil }
        return assigned[setting.path]?.source ?? .default
    }

    /// The effective value of a setting, its default included, for display: possible credentials are masked. `nil` if
    /// the setting has no value.
    package func shownValue(of setting: SettingDefinition) -> String? { value(of: setting)?.description }

    /// The effective value of a setting, its default included; `nil` if the setting has no value.
    func value(of setting: SettingDefinition) -> SettingValue? {
        if let assignment = assigned[setting.path] { return assignment.value }
        guard let text = setting.defaultText else { return nil }
        // A default always parses as its kind; the tests parse each of them.
        return try? SettingParser(userHome: userHome, prefectHome: "").value(of: .text(text), as: setting.kind)
    }
}

extension PrefectSettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The profile and the assignments, with secrets masked.
    public var description: String {
        let values = assignments.map { "\($0.setting.name)=\($0.value)" }
        return "PrefectSettings(profile: \(profileName)\(values.map { ", \($0)" }.joined()))"
    }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// The profile, the warnings and the assignments, with secrets masked.
    public var customMirror: Mirror {
        Mirror(self, children: ["profileName": profileName, "warnings": warnings, "assignments": assignments])
    }
}
