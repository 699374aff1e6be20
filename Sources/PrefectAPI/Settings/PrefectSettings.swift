/// Prefect's settings as they hold for this process.
///
/// They come, in this order, from the environment, `.env`, `prefect.toml`, `pyproject.toml` (`[tool.prefect]`), the
/// active profile and Prefect's defaults. Nothing that a value of this type prints, dumps or mirrors shows a secret.
public struct PrefectSettings: Sendable {
    /// A setting that has been set, and by what.
    public struct Assignment: Sendable, Hashable {
        /// The setting.
        public let setting: SettingDefinition
        /// Its parsed value.
        public let value: SettingValue
        /// Where the value is from.
        public let source: SettingSource
    }

    /// The name of the active profile.
    public let profileName: String
    /// Where the profiles file is or would be.
    public let profilesFile: String
    /// What the user should know, a line each; nothing of it keeps the settings from being used.
    public let warnings: [String]

    /// What is set for integrations.
    public let integrations: IntegrationSettings

    /// What is set, by TOML path.
    let assigned: [String: Assignment]
    /// The directory that relative paths start from.
    let workingDirectory: String
    /// `SSL_CERT_FILE` of the environment.
    let systemCertificateFile: String?
    /// The user's home directory.
    let userHome: String

    /// What is set, in Prefect's order; what is at its default is left out.
    public var assignments: [Assignment] { SettingDefinition.all.compactMap { assigned[$0.path] } }

    /// Where a setting has its value from.
    ///
    /// - Parameter name: The canonical environment variable.
    /// - Returns: The source; `nil` if there is no such setting.
    public func source(of name: String) -> SettingSource? {
        guard let setting = SettingDefinition.byEnvironmentName[name] else { return nil }
        return assigned[setting.path]?.source ?? .default
    }

    /// The value that holds for a setting, its default included, as people may see it: what may be a credential is masked.
    /// `nil` where there is none.
    public func shownValue(of setting: SettingDefinition) -> String? { value(setting.path)?.description }

    /// The value that holds for a setting, its default included; `nil` where there is none.
    func value(_ path: String) -> SettingValue? {
        if let assignment = assigned[path] { return assignment.value }
        guard let setting = SettingDefinition.byPath[path], let text = setting.defaultText else { return nil }
        // A default is always of its kind; the tests read each of them.
        return try? SettingParser(userHome: userHome, prefectHome: "").value(of: .text(text), as: setting.kind)
    }
}

extension PrefectSettings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The profile and what is set, secrets masked.
    public var description: String {
        let values = assignments.map { "\($0.setting.name)=\($0.value)" }
        return "PrefectSettings(profile: \(profileName)\(values.map { ", \($0)" }.joined()))"
    }

    /// The same as ``description``.
    public var debugDescription: String { description }

    /// The profile, the warnings and what is set, secrets masked.
    public var customMirror: Mirror {
        Mirror(self, children: ["profileName": profileName, "warnings": warnings, "assignments": assignments])
    }
}
