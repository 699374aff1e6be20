internal import OrderedCollections
public import PrefectJSON

/// The settings of Prefect's integrations (`PREFECT_INTEGRATIONS_…`), from the sources of Prefect's own settings and in
/// their order. An integration reads its own settings from here. None of them is passed on to jobs.
public struct IntegrationSettings: Sendable, Hashable {
    /// A value that a source holds for a setting.
    public struct Found: Sendable, Hashable {
        /// The text of a variable, or the value of a TOML key.
        public let value: JSONValue
        /// The source of the value.
        public let source: SettingSource
    }

    private let layers: [[String: SourcedInput]]

    init(layers: [SettingsLayer]) { self.layers = layers.map(\.integrations) }

    /// Creates the settings from an environment alone.
    public init(environment: [String: String]) { self.init(layers: [SettingsLayer(environment: environment)]) }

    /// The value that the first source sets under any of these variables; within a source, the first variable counts. A
    /// key of a TOML file is found under the variable that corresponds to it.
    public func found(_ variables: [String]) -> Found? {
        for layer in layers {
            guard let found = variables.lazy.compactMap({ layer[$0] }).first else { continue }
            return Found(value: found.input.json, source: found.source)
        }
        return nil
    }
}

extension SettingsLayer {
    /// Whether a variable belongs to an integration: by the prefix, or by an older prefix of some integrations.
    static func isOfIntegration(_ name: String) -> Bool {
        name.hasPrefix("PREFECT_INTEGRATIONS_") || name.hasPrefix("PREFECT_KUBERNETES_")
    }

    /// Collects the variables of integrations.
    mutating func takeIntegrations<Value>(
        _ variables: some Sequence<(key: String, value: Value)>, as input: (Value) -> SettingInput,
        source: (String) -> SettingSource
    ) {
        for (name, value) in variables where Self.isOfIntegration(name) {
            integrations[name] = SourcedInput(input: input(value), source: source(name))
        }
    }

    /// Collects the keys below `integrations`. A table is also collected as a value, because only the integration knows
    /// which of its settings are maps.
    mutating func takeIntegrations(_ value: JSONValue, path: String, keyPrefix: String, file: String) {
        let name = "PREFECT_" + path.replacing(".", with: "_").uppercased()
        integrations[name] = SourcedInput(
            input: .typed(value), source: .file(key: keyPrefix + path, file: file))
        for (key, member) in value.objectValue ?? [:] {
            takeIntegrations(member, path: "\(path).\(key)", keyPrefix: keyPrefix, file: file)
        }
    }
}
