/// One of Prefect's settings: its names and the form of its value.
///
/// The table mirrors the settings of Prefect 3.8 that have an environment variable. It contains no settings of this
/// program's own.
package struct SettingDefinition: Sendable, Hashable {
    /// The path of the setting in `prefect.toml`, and under `[tool.prefect]` in `pyproject.toml`: `api.url`.
    package let path: String
    /// The form of the value.
    package let kind: SettingKind
    /// The value that counts while no source sets one, as it would be written in the environment. `nil` if there is no
    /// default, or if it depends on other settings.
    package let defaultText: String?
    /// The environment variables that set the value, the canonical one first. If several are set, the first counts.
    package let environmentNames: [String]

    init(_ path: String, _ kind: SettingKind, default defaultText: String? = nil, alias: String? = nil) {
        self.path = path
        self.kind = kind
        self.defaultText = defaultText
        let canonical = "PREFECT_" + path.replacing(".", with: "_").uppercased()
        environmentNames = alias.map { [canonical, $0] } ?? [canonical]
    }

    /// The canonical environment variable: `PREFECT_API_URL`.
    package var name: String { environmentNames[0] }

    /// Every setting, in the order in which Prefect forwards them to the environment of a job.
    package static let all: [SettingDefinition] = client + server + serverServices + execution

    /// The settings by TOML path.
    static let byPath: [String: SettingDefinition] = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

    /// The settings by any of their environment variables.
    static let byEnvironmentName: [String: SettingDefinition] = Dictionary(
        uniqueKeysWithValues: all.flatMap { setting in setting.environmentNames.map { ($0, setting) } })

    /// The TOML tables that group settings: `api`, `server`, `server.api`.
    static let groups: Set<String> = all.reduce(into: []) { groups, setting in
        var path = setting.path[...]
        while let dot = path.lastIndex(of: ".") {
            path = path[..<dot]
            groups.insert(String(path))
        }
    }
}
