internal import OrderedCollections
internal import PrefectJSON

/// A named set of settings, keyed by their environment variables.
struct SettingsProfile: Sendable, Hashable {
    let name: String
    /// The file that contains the profile; `nil` for a built-in one.
    let file: String?
    let values: TOMLDocument.Table
}

/// The profiles of a user, and the choice of the active one.
struct ProfilesFile: Sendable {
    /// The path of the file, even if the file does not exist.
    let path: String
    /// The reason why the file provides no profiles, if so, as a phrase that follows "which".
    private(set) var problem: String?
    /// Warnings for the user.
    private(set) var warnings: [String] = []
    private var active: String?
    private var profiles: OrderedDictionary<String, SettingsProfile> = [:]

    /// The built-in profiles, which need no file.
    private static let builtIn: [SettingsProfile] = [
        SettingsProfile(name: "cloud", file: nil, values: [:]),
        SettingsProfile(name: "ephemeral", file: nil, values: ["PREFECT_SERVER_EPHEMERAL_ENABLED": "true"]),
        SettingsProfile(name: "local", file: nil, values: ["PREFECT_API_URL": "http://127.0.0.1:4200/api"]),
        SettingsProfile(
            name: "test", file: nil,
            values: [
                "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
                "PREFECT_SERVER_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:///:memory:",
            ]),
    ]

    /// Reads the file. A missing, empty or unreadable file contains no profiles; a file that is not TOML is an error.
    init(reading path: String) throws(SettingsError) {
        self.path = path
        do throws(SettingsError) {
            // A container's bind mount of a missing file creates a directory.
            if SettingsFile.isDirectory(path) {
                throw .unreadableFile(path: path, reason: "it is a directory")
            }
            guard let document = try TOMLDocument(reading: path) else {
                problem = "does not exist"
                return
            }
            read(document)
        } catch {
            guard case .unreadableFile(_, let reason) = error else { throw error }
            problem = "cannot be read: \(reason)"
            warnings.append("\(path) cannot be read and is left out: \(reason)")
        }
    }

    private mutating func read(_ document: TOMLDocument) {
        if document.root.isEmpty {
            problem = "is empty"
            warnings.append("\(path) is empty: it names no profile")
        }
        active = document.root["active"]?.stringValue
        for (name, value) in document.root["profiles"]?.objectValue ?? [:] {
            if let values = value.objectValue {
                profiles[name] = SettingsProfile(name: name, file: path, values: values)
            } else {
                warnings.append("the profile '\(name)' in \(path) is not a table and is left out")
            }
        }
    }

    private func profile(named name: String) -> SettingsProfile? {
        profiles[name] ?? Self.builtIn.first { $0.name == name }
    }

    /// Selects the effective profile: the requested one, else the active one, else the built-in `ephemeral`.
    ///
    /// - Parameters:
    ///   - flag: The value of `--profile`.
    ///   - variable: The value of `PREFECT_PROFILE`; an empty one counts as unset.
    /// - Returns: The profile, and a warning if the file's active profile does not exist.
    func select(flag: String?, variable: String?) throws(SettingsError) -> (profile: SettingsProfile, warning: String?)
    {
        let requested =
            flag.map { (name: $0, by: "--profile") }
            ?? variable.flatMap { $0.isEmpty ? nil : (name: $0, by: "PREFECT_PROFILE") }
        if let requested {
            guard let profile = profile(named: requested.name) else {
                let known = Set(profiles.keys).union(Self.builtIn.map(\.name))
                throw .unknownProfile(
                    name: requested.name, requestedBy: requested.by, file: path, problem: problem,
                    known: SettingText.sorted(known))
            }
            return (profile, nil)
        }
        let ephemeral = Self.builtIn[1]
        guard let active, !active.isEmpty else { return (ephemeral, nil) }
        if let profile = profile(named: active) { return (profile, nil) }
        return (ephemeral, "the active profile '\(active)' is not in \(path); the built-in profile 'ephemeral' is used")
    }
}
