package import PrefectClient
internal import PrefectConcurrency

/// Prefect's settings, which can be reloaded, with the secrets of all settings that were ever in force.
package final class LiveSettings: Sendable {
    private let settings: ObservedValue<PrefectSettings>
    private let redactors: ObservedValue<[SecretRedactor]>

    package init(_ settings: PrefectSettings) {
        self.settings = ObservedValue(settings)
        redactors = ObservedValue([settings.redactor])
    }

    /// The settings in force.
    package var current: PrefectSettings { settings.value }

    /// Puts other settings in force, and returns the names of those that differ.
    func replace(with fresh: PrefectSettings) -> [String] {
        let before = current.environmentForJobs(over: [:])
        let after = fresh.environmentForJobs(over: [:])
        redactors.update { $0.append(fresh.redactor) }
        settings.update { $0 = fresh }
        return Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }.sorted()
    }

    /// Removes all secrets from a text, including those of earlier settings.
    package func redact(_ text: String) -> String { redactors.value.reduce(text) { $1.redact($0) } }
}
