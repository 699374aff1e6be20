import BackendKit
import PrefectClient
import PrefectJSON
import WorkerKit

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
        func section(_ title: String, _ known: [BackendSetting]) -> Section {
            Section(title: title, settings: known.map { KnownSetting($0, environment, settings.integrations) })
        }
        sections =
            [
                Section(
                    title: "Prefect's settings",
                    settings: SettingDefinition.all.compactMap { definition in
                        definition.meaning.map { KnownSetting(definition, meaning: $0, settings) }
                    }),
                section("The worker's settings", WorkerVariable.own),
                section("Common variables", WorkerVariable.usual),
                section("From systemd", WorkerVariable.systemd),
            ]
            + Backends.all.map { $0.traits }.filter { !$0.settings.isEmpty }.map { traits in
                section("\(traits.type.prefix(1).uppercased())\(traits.type.dropFirst()) pools", traits.settings)
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
        let text: String?
        let source: String?
        if setting.key != nil {
            let found = integrations.found(setting.variables)
            text = found.map { $0.value.stringValue ?? $0.value.serialized() }
            source = found?.source.description
        } else {
            let name = setting.variables.first { environment[$0] != nil }
            text = name.flatMap { environment[$0] }
            source = name.map { SettingSource.environment(variable: $0).description }
        }
        self.init(
            variables: setting.variables, key: setting.key, expectation: setting.expectation,
            defaultText: setting.defaultText, meaning: setting.meaning,
            // The description masks the password of a URL.
            value: text.map { setting.isSecret ? RevealedSecrets.mask : SettingValue.string($0).description }
                ?? setting.defaultText, source: source)
    }
}
