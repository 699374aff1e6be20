internal import OrderedCollections
internal import PrefectJSON

/// A value and its source.
struct SourcedInput: Sendable, Hashable {
    let input: SettingInput
    let source: SettingSource
}

/// The settings of one source, by their TOML paths.
struct SettingsLayer: Sendable, Hashable {
    private(set) var inputs: [String: SourcedInput] = [:]
    /// The source's settings of integrations, by environment variable.
    var integrations: [String: SourcedInput] = [:]
    /// Warnings for the user about the source.
    private(set) var warnings: [String] = []

    /// Creates the layer of the process's environment. Names match in any case, and names in upper case take
    /// precedence.
    init(environment: [String: String]) {
        // In this order, a name in upper case precedes its other spellings.
        let variables = Self.uppercased(environment.sorted { $0.key < $1.key })
        take(variables) { .environment(variable: $0) }
        warnAboutGroups(in: variables)
    }

    /// Creates the layer of a `.env` file. Names match in any case, and the last variable takes precedence.
    init(dotenv: DotenvFile, path: String) {
        take(Self.uppercased(dotenv.variables.reversed())) { .dotenv(variable: $0, file: path) }
        for line in dotenv.skippedLines {
            warnings.append("line \(line) of \(path) is not NAME=value and is skipped")
        }
    }

    /// Creates the layer of `prefect.toml`, or of the settings below `prefix` in another TOML file.
    init(document: TOMLDocument, below prefix: [String] = []) throws(SettingsError) {
        guard let table = document.table(prefix) else { return }
        try take(table, path: "", keyPrefix: prefix.map { "\($0)." }.joined(), file: document.path)
    }

    /// Creates the layer of a profile, whose keys are environment variables in upper case.
    init(profile: SettingsProfile) {
        for setting in SettingDefinition.all {
            guard let name = setting.environmentNames.first(where: { profile.values[$0] != nil }),
                let value = profile.values[name]
            else { continue }
            inputs[setting.path] = SourcedInput(
                input: .typed(value),
                source: .profile(name: profile.name, variable: name, file: profile.file))
        }
        takeIntegrations(profile.values, as: { .typed($0) }) {
            .profile(name: profile.name, variable: $0, file: profile.file)
        }
        for key in SettingText.sorted(profile.values.keys)
        where SettingDefinition.byEnvironmentName[key] == nil && !Self.isOfIntegration(key) {
            let place = profile.file.map { " of \($0)" } ?? ""
            warnings.append(
                "the setting '\(key)' in the profile '\(profile.name)'\(place) is not known and is left out")
        }
    }

    /// The variables with their names in upper case. If names differ only in case, the first counts.
    private static func uppercased(_ variables: some Sequence<(key: String, value: String)>) -> [String: String] {
        var result: [String: String] = [:]
        for (name, value) in variables {
            let canonical = name.uppercased()
            guard canonical.hasPrefix("PREFECT_") else { continue }
            if result[canonical] == nil { result[canonical] = value }
        }
        return result
    }

    private mutating func take(_ variables: [String: String], source: (String) -> SettingSource) {
        for setting in SettingDefinition.all {
            guard let name = setting.environmentNames.first(where: { variables[$0] != nil }),
                let value = variables[name]
            else { continue }
            inputs[setting.path] = SourcedInput(input: .text(value), source: source(name))
        }
        takeIntegrations(variables, as: { .text($0) }, source: source)
    }

    /// Warns about variables that Prefect would read as JSON for a whole group.
    private mutating func warnAboutGroups(in variables: [String: String]) {
        for group in SettingDefinition.groups.sorted() {
            let name = "PREFECT_" + group.replacing(".", with: "_").uppercased()
            if let value = variables[name], value.hasPrefix("{") {
                warnings.append("\(name) is not read: set each of its settings by a variable of its own")
            }
        }
    }

    private mutating func take(
        _ table: TOMLDocument.Table, path: String, keyPrefix: String, file: String
    ) throws(SettingsError) {
        for (key, value) in table {
            let path = path.isEmpty ? key : "\(path).\(key)"
            if let setting = SettingDefinition.byPath[path] {
                if value.objectValue != nil, !setting.kind.isMap {
                    warnings.append("'\(keyPrefix)\(path)' in \(file) is a table where a value belongs and is left out")
                } else {
                    inputs[path] = SourcedInput(
                        input: .typed(value), source: .file(key: keyPrefix + path, file: file))
                }
            } else if SettingDefinition.groups.contains(path) {
                guard let inner = value.objectValue else {
                    throw .groupExpected(key: keyPrefix + path, file: file)
                }
                try take(inner, path: path, keyPrefix: keyPrefix, file: file)
            } else if path == "integrations" {
                takeIntegrations(value, path: path, keyPrefix: keyPrefix, file: file)
            } else {
                warnings.append("the key '\(keyPrefix)\(path)' in \(file) is not a setting and is left out")
            }
        }
    }
}
