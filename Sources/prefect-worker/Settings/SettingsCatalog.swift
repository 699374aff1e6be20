import JSON
import KubernetesBackend
import PrefectAPI

/// Something that can be set from outside, and what holds for it now.
struct KnownSetting: Sendable {
    /// The variables that set it, the first before the others.
    let variables: [String]
    /// Where it stands in `prefect.toml`, if it can stand there.
    var key: String?
    /// What a value must look like.
    let expectation: String
    /// What holds while nothing sets it; `nil` where that is nothing, or where the meaning says it.
    var defaultText: String?
    /// What it does.
    let meaning: String
    /// What holds now, as people may see it.
    var value: String?
    /// What has set it; `nil` where nothing has.
    var source: String?
}

/// All that the worker reads, in sections.
struct SettingsCatalog: Sendable {
    struct Section: Sendable {
        let title: String
        let settings: [KnownSetting]
    }

    let sections: [Section]
    /// What is set besides: the worker does nothing with it but hand it on to jobs.
    let handedOn: [KnownSetting]

    init(_ settings: PrefectSettings, environment: [String: String]) {
        sections = [
            Section(
                title: "Prefect's settings",
                settings: SettingDefinition.all.compactMap { definition in
                    definition.meaning.map { KnownSetting(definition, meaning: $0, settings) }
                }),
            Section(title: "The worker's own", settings: WorkerVariable.own.map { KnownSetting($0, environment) }),
            Section(
                title: "The environment's usual ones",
                settings: WorkerVariable.usual.map { KnownSetting($0, environment) }),
            Section(title: "systemd's", settings: WorkerVariable.systemd.map { KnownSetting($0, environment) }),
            Section(title: "Docker pools", settings: WorkerVariable.docker.map { KnownSetting($0, environment) }),
            Section(
                title: "Kubernetes pools",
                settings: WorkerVariable.kubernetes.map { KnownSetting($0, environment) }
                    + KubernetesSetting.allCases.map { KnownSetting($0, settings.integrations) }),
        ]
        handedOn = settings.assignments.map(\.setting).filter { $0.meaning == nil }
            .map { KnownSetting($0, meaning: "", settings) }
    }
}

extension KnownSetting {
    init(_ definition: SettingDefinition, meaning: String, _ settings: PrefectSettings) {
        let source = settings.source(of: definition.name)
        let isSet = source != nil && source != .default
        // Prefect's default is not the one that holds here, as the meaning says.
        let hasOwnDefault = definition.name == "PREFECT_WORKER_CANCELLATION_POLL_SECONDS"
        self.init(
            variables: definition.environmentNames, key: definition.path, expectation: definition.kind.expectation,
            defaultText: hasOwnDefault ? nil : definition.defaultText, meaning: meaning,
            value: hasOwnDefault && !isSet
                ? "\(settings.cancellationPollInterval / .seconds(1))" : settings.shownValue(of: definition),
            source: isSet ? source?.description : nil)
    }

    fileprivate init(_ setting: KubernetesSetting, _ settings: IntegrationSettings) {
        let found = settings.found(setting.variables)
        self.init(
            variables: setting.variables, key: "integrations.kubernetes.\(setting.rawValue.lowercased())",
            expectation: setting.expectation, defaultText: setting.defaultText, meaning: setting.meaning,
            value: found.map { SettingValue.string($0.value.stringValue ?? $0.value.serialized()).description }
                ?? setting.defaultText,
            source: found?.source.description)
    }

    fileprivate init(_ variable: WorkerVariable, _ environment: [String: String]) {
        let name = variable.names.first { environment[$0] != nil }
        self.init(
            variables: variable.names, expectation: variable.expectation, defaultText: variable.defaultText,
            meaning: variable.meaning,
            // Masks the password of a URL.
            value: name.flatMap { environment[$0] }.map { SettingValue.string($0).description } ?? variable.defaultText,
            source: name.map { SettingSource.environment(variable: $0).description })
    }
}
