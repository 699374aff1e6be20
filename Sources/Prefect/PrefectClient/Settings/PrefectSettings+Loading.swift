internal import FoundationEssentials
internal import OrderedCollections
internal import PrefectJSON

extension PrefectSettings {
    /// Reads the settings of this process: from its environment, the files of its working directory, and the profile.
    ///
    /// - Parameter profile: The profile to use; `nil` for the one that `PREFECT_PROFILE` or the profiles file names.
    /// - Throws: ``SettingsError``, as ``load(environment:workingDirectory:profile:)`` does.
    public static func load(profile: String? = nil) throws(SettingsError) -> PrefectSettings {
        try load(
            environment: ProcessInfo.processInfo.environment,
            workingDirectory: FileManager.default.currentDirectoryPath, profile: profile)
    }

    /// Reads the settings from all their sources.
    ///
    /// - Parameters:
    ///   - environment: The process's environment.
    ///   - workingDirectory: The directory that may contain `.env`, `prefect.toml` and `pyproject.toml`; an absolute
    ///     path.
    ///   - profile: The profile to use, as `--profile` gives it. With `nil`, `PREFECT_PROFILE` and the profiles file
    ///     decide.
    /// - Throws: ``SettingsError`` if a file is not TOML or cannot be read, or if the requested profile does not exist.
    ///   A value that is invalid, or that the worker cannot work with, is an error too. An empty or unreadable profiles
    ///   file causes only a warning.
    public static func load(
        environment: [String: String], workingDirectory: String, profile: String? = nil
    ) throws(SettingsError) -> PrefectSettings {
        var loader = SettingsLoader(environment: environment, workingDirectory: workingDirectory)
        return try loader.load(profile: profile)
    }
}

/// Merges the sources by their precedence.
private struct SettingsLoader {
    let environment: [String: String]
    let workingDirectory: String
    let userHome: String
    var layers: [SettingsLayer] = []
    var warnings: [String] = []
    var assigned: [String: PrefectSettings.Assignment] = [:]

    init(environment: [String: String], workingDirectory: String) {
        self.environment = environment
        self.workingDirectory = workingDirectory
        // A daemon's environment need not contain HOME; the password database then provides it.
        let home = environment["HOME"] ?? ""
        userHome = home.isEmpty ? FileManager.default.homeDirectoryForCurrentUser.path : home
    }

    mutating func load(profile flag: String?) throws(SettingsError) -> PrefectSettings {
        add(SettingsLayer(environment: environment))
        let dotenv = try readDotenv()
        if let document = try TOMLDocument(reading: path("prefect.toml")) {
            add(try SettingsLayer(document: document))
        }
        if let document = try TOMLDocument(reading: path("pyproject.toml")) {
            add(try SettingsLayer(document: document, below: ["tool", "prefect"]))
        }
        let profiles = try ProfilesFile(reading: profilesPath(dotenv))
        warnings += profiles.warnings
        let (profile, warning) = try profiles.select(flag: flag, variable: environment["PREFECT_PROFILE"])
        if let warning { warnings.append(warning) }
        if !isTestMode { add(SettingsLayer(profile: profile)) }

        try assignAll()
        try checkLimits()
        let settings = PrefectSettings(
            profileName: profile.name, profilesFile: profiles.path, warnings: warnings.map(\.onOneLine),
            integrations: IntegrationSettings(layers: layers), assigned: assigned, workingDirectory: workingDirectory,
            systemCertificateFile: environment["SSL_CERT_FILE"], userHome: userHome)
        return settings.addingWarnings(settings.apiURLWarnings + settings.customHeaderWarnings)
    }

    private func path(_ name: String) -> String { SettingsFile.resolve(name, in: workingDirectory) }

    private mutating func add(_ layer: SettingsLayer) {
        layers.append(layer)
        warnings += layer.warnings
    }

    private mutating func readDotenv() throws(SettingsError) -> DotenvFile? {
        let path = path(".env")
        guard let text = try SettingsFile.read(path) else { return nil }
        let dotenv = DotenvFile(parsing: text, environment: environment)
        if dotenv.isTooLarge {
            throw .unreadableFile(
                path: path,
                reason: "its references expand to more than \(DotenvFile.maximumExpansion) bytes; shorten them")
        }
        add(SettingsLayer(dotenv: dotenv, path: path))
        return dotenv
    }

    /// Whether the process declares itself one of Prefect's own tests, which run without profiles.
    private var isTestMode: Bool {
        ["PREFECT_TEST_MODE", "PREFECT_UNIT_TEST_MODE", "PREFECT_TESTING_UNIT_TEST_MODE", "PREFECT_TESTING_TEST_MODE"]
            .contains { !(environment[$0] ?? "").isEmpty }
    }

    /// The path of the profiles file: `PREFECT_PROFILES_PATH` or `profiles_path` of any source except the profile
    /// itself. Otherwise it is `profiles.toml` in the environment's `PREFECT_HOME`, or else in `~/.prefect`.
    private func profilesPath(_ dotenv: DotenvFile?) -> String {
        let home = environment["PREFECT_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "~/.prefect"
        let named = layers.lazy.compactMap { $0.inputs["profiles_path"]?.input.json.stringValue }.first { !$0.isEmpty }
        let path = named?.replacing("$PREFECT_HOME", with: home) ?? "\(home)/profiles.toml"
        return SettingsFile.resolve(
            SettingText.path(SettingText.expandingHome(path, userHome: userHome)), in: workingDirectory)
    }

    private mutating func assignAll() throws(SettingsError) {
        // `home` is parsed first, because the path of the profiles may refer to it.
        var parser = SettingParser(userHome: userHome, prefectHome: "\(userHome)/.prefect")
        for setting in SettingDefinition.all {
            guard let assignment = try assignment(of: setting, parser: parser) else { continue }
            assigned[setting.path] = assignment
            if setting.kind == .home, case .string(let home) = assignment.value { parser.prefectHome = home }
        }
    }

    private func assignment(
        of setting: SettingDefinition, parser: SettingParser
    ) throws(SettingsError) -> PrefectSettings.Assignment? {
        if setting.kind.isMap { return try mergedAssignment(of: setting, parser: parser) }
        for layer in layers {
            guard let found = layer.inputs[setting.path] else { continue }
            guard let value = try value(of: setting, found, parser: parser) else { continue }
            return PrefectSettings.Assignment(setting: setting, value: value, source: found.source)
        }
        return nil
    }

    /// Merges the maps of several sources: the members of the lowest source come first, and higher sources override
    /// them.
    private func mergedAssignment(
        of setting: SettingDefinition, parser: SettingParser
    ) throws(SettingsError) -> PrefectSettings.Assignment? {
        var merged: SettingValue?
        var source = SettingSource.default
        for layer in layers.reversed() {
            guard let found = layer.inputs[setting.path],
                let value = try value(of: setting, found, parser: parser)
            else { continue }
            source = found.source
            switch (merged, value) {
            case (.stringMap(let lower)?, .stringMap(let higher)):
                merged = .stringMap(lower.merging(higher) { _, new in new })
            case (.durationMap(let lower)?, .durationMap(let higher)):
                merged = .durationMap(lower.merging(higher) { _, new in new })
            default: merged = value
            }
        }
        return merged.map { PrefectSettings.Assignment(setting: setting, value: $0, source: source) }
    }

    private func value(
        of setting: SettingDefinition, _ found: SourcedInput, parser: SettingParser
    ) throws(SettingsError) -> SettingValue? {
        do {
            return try parser.value(of: found.input, as: setting.kind)
        } catch {
            throw .invalidValue(
                setting: setting.name, source: found.source,
                found: setting.kind.isQuotable ? found.input.quoted : nil,
                expected: setting.kind.expectation + (error.detail.map { " (\($0))" } ?? ""))
        }
    }

    /// Rejects values that a worker cannot work with. On Prefect Cloud, a log record is at most as long as Cloud
    /// accepts; jobs get the same limit.
    private mutating func checkLimits() throws(SettingsError) {
        let settings = PrefectSettings(
            profileName: "", profilesFile: "", warnings: [], integrations: IntegrationSettings(layers: []),
            assigned: assigned, workingDirectory: workingDirectory,
            systemCertificateFile: nil, userHome: userHome)
        // The check comes before anything is computed from the values.
        try settings.checkLimits()
        try settings.checkLogBatch()
        guard settings.isCloud else { return }
        let setting = PrefectSettings.Key.maxLogSize.definition
        let own = settings.apiLogging.maxLogSize
        let limit = settings.cloudMaxLogSize
        let source = assigned[setting.path]?.source
        assigned[setting.path] = PrefectSettings.Assignment(
            setting: setting, value: .int(min(own, limit)),
            source: limit < own ? .consequence(of: "PREFECT_CLOUD_MAX_LOG_SIZE") : source ?? .default)
    }
}

extension PrefectSettings {
    fileprivate func addingWarnings(_ more: [String]) -> PrefectSettings {
        PrefectSettings(
            profileName: profileName, profilesFile: profilesFile, warnings: warnings + more,
            integrations: integrations, assigned: assigned, workingDirectory: workingDirectory,
            systemCertificateFile: systemCertificateFile, userHome: userHome)
    }
}
