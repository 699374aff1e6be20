public import JSON
internal import OrderedCollections

/// What is set for Prefect's integrations (`PREFECT_INTEGRATIONS_…`), in the sources of Prefect's own settings and in
/// their order. An integration reads its own settings out of it; none of them is handed on to jobs.
public struct IntegrationSettings: Sendable, Hashable {
    /// What a source holds for a setting.
    public struct Found: Sendable, Hashable {
        /// The text of a variable, or the value of a TOML key.
        public let value: JSONValue
        /// Where it is from.
        public let source: SettingSource
    }

    private let layers: [[String: SourcedInput]]

    init(layers: [SettingsLayer]) { self.layers = layers.map(\.integrations) }

    /// What an environment alone sets.
    public init(environment: [String: String]) { self.init(layers: [SettingsLayer(environment: environment)]) }

    /// What is set under any of these variables, the first of them before the others; of several sources the first has
    /// it. A key of a TOML file goes by the variable that it stands for.
    public func found(_ variables: [String]) -> Found? {
        for layer in layers {
            guard let found = variables.lazy.compactMap({ layer[$0] }).first else { continue }
            return Found(value: found.input.json, source: found.source)
        }
        return nil
    }
}

extension SettingsLayer {
    /// Whether a variable is an integration's: by its prefix, or by the one that some had before.
    static func isOfIntegration(_ name: String) -> Bool {
        name.hasPrefix("PREFECT_INTEGRATIONS_") || name.hasPrefix("PREFECT_KUBERNETES_")
    }

    /// The variables of integrations.
    mutating func takeIntegrations<Value>(
        _ variables: some Sequence<(key: String, value: Value)>, as input: (Value) -> SettingInput,
        source: (String) -> SettingSource
    ) {
        for (name, value) in variables where Self.isOfIntegration(name) {
            integrations[name] = SourcedInput(input: input(value), source: source(name))
        }
    }

    /// The keys below `integrations`. A table is a value too: only the integration knows which of its settings are maps.
    mutating func takeIntegrations(_ value: JSONValue, path: String, keyPrefix: String, file: String) {
        let name = "PREFECT_" + path.replacing(".", with: "_").uppercased()
        integrations[name] = SourcedInput(
            input: .typed(value), source: .file(key: keyPrefix + path, file: file))
        for (key, member) in value.objectValue ?? [:] {
            takeIntegrations(member, path: "\(path).\(key)", keyPrefix: keyPrefix, file: file)
        }
    }
}
