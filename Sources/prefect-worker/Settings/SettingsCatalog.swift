import BackendKit
import JSON
import PrefectAPI
import Worker

/// A setting from outside the program, and its current value.
struct KnownSetting: Sendable {
    /// The variables that set it; earlier ones take precedence.
    let variables: [String]
    /// Its key in `prefect.toml`, if it has one.
    var key: String?
    /// The expected form of a value.
    let expectation: String
    /// The default; `nil` if the setting has no default, or if its meaning states the default.
    var defaultText: String?
    /// The effect of the setting.
    let meaning: String
    /// The current value, in a form that people may see.
    var value: String?
    /// The source of the current value; `nil` if it has no source.
    var source: String?
}

/// All settings that the worker reads, in sections.
struct SettingsCatalog: Sendable {
    struct Section: Sendable {
        let title: String
        let settings: [KnownSetting]
    }

    let sections: [Section]
    /// All other settings that have a source. The worker only passes them on to jobs.
    let handedOn: [KnownSetting]

    init(_ settings: PrefectSettings, environment: [String: String]) {
        sections =
            [
                Section(
                    title: "Prefect's settings",
                    settings: SettingDefinition.all.compactMap { definition in
                        definition.meaning.map { KnownSetting(definition, meaning: $0, settings) }
                    }),
                Section(
                    title: "The worker's settings", settings: WorkerVariable.own.map { KnownSetting($0, environment) }),
                Section(
                    title: "Common variables",
                    settings: WorkerVariable.usual.map { KnownSetting($0, environment) }),
                Section(title: "From systemd", settings: WorkerVariable.systemd.map { KnownSetting($0, environment) }),
            ]
            + Backends.all.compactMap { backend in
                let traits = backend.traits
                guard !traits.settings.isEmpty else { return nil }
                return Section(
                    title: "\(traits.type.prefix(1).uppercased())\(traits.type.dropFirst()) pools",
                    settings: traits.settings.map { KnownSetting($0, environment, settings.integrations) })
            }
        handedOn = settings.assignments.map(\.setting).filter { $0.meaning == nil }
            .map { KnownSetting($0, meaning: "", settings) }
    }
}

extension KnownSetting {
    init(_ definition: SettingDefinition, meaning: String, _ settings: PrefectSettings) {
        let source = settings.source(of: definition.name)
        let isSet = source != nil && source != .default
        // The worker does not use Prefect's default for this setting, as the meaning states.
        let hasOwnDefault = definition.name == "PREFECT_WORKER_CANCELLATION_POLL_SECONDS"
        self.init(
            variables: definition.environmentNames, key: definition.path, expectation: definition.kind.expectation,
            defaultText: hasOwnDefault ? nil : definition.defaultText, meaning: meaning,
            value: hasOwnDefault && !isSet
                ? "\(settings.cancellationPollInterval / .seconds(1))" : settings.shownValue(of: definition),
            source: isSet ? source?.description : nil)
    }

    fileprivate init(_ setting: BackendSetting, _ environment: [String: String], _ integrations: IntegrationSettings) {
        guard let key = setting.key else {
            let variable = WorkerVariable(setting)
            self.init(variable, environment)
            return
        }
        let found = integrations.found(setting.variables)
        self.init(
            variables: setting.variables, key: key, expectation: setting.expectation,
            defaultText: setting.defaultText, meaning: setting.meaning,
            value: found.map { SettingValue.string($0.value.stringValue ?? $0.value.serialized()).description }
                ?? setting.defaultText,
            source: found?.source.description)
    }

    fileprivate init(_ variable: WorkerVariable, _ environment: [String: String]) {
        let name = variable.names.first { environment[$0] != nil }
        self.init(
            variables: variable.names, expectation: variable.expectation, defaultText: variable.defaultText,
            meaning: variable.meaning,
            // The description masks the password of a URL.
            value: name.flatMap { environment[$0] }.map { SettingValue.string($0).description } ?? variable.defaultText,
            source: name.map { SettingSource.environment(variable: $0).description })
    }
}
