internal import JSON
internal import PrefectAPI

/// The settings of Prefect's Kubernetes integration, by the names that its Python worker gives them.
struct KubernetesSettings: Sendable, Hashable {
    /// A secret that exists, by its name and key.
    struct SecretKey: Sendable, Hashable {
        let name: String
        let key: String
    }

    /// The secret that holds the API key.
    var apiKeySecret: SecretKey?
    /// The secret that holds the auth string.
    var authStringSecret: SecretKey?
    /// Whether each job gets a secret of its own for the API key.
    var createsSecretForAPIKey = false
    /// Whether each job gets a secret of its own for its whole environment.
    var storesEnvironmentAsSecret = false
    /// How often a job's creation is tried.
    var creationAttempts = 3
    /// How long to wait before it is tried again.
    var creationDelay = Duration.seconds(1)
    /// How much longer, at random.
    var creationJitter = 0.0...3.0
    /// The pods whose phases are reported as events, also those of this worker's own runs; `nil` for none.
    var replicated: ObservationScope?
    /// Whether the last lines of a pod that crashed go into the run's log.
    var forwardsCrashedLogs = true
    /// How many lines.
    var crashedLogLines = 500

    /// Which runs of other workers are observed as well; `nil` for none.
    var observed: ObservationScope?

    /// What was wrong with a setting, and what holds instead; a line each.
    private(set) var warnings: [String] = []

    /// Reads what is set for the integration.
    init(_ settings: IntegrationSettings) {
        var reader = KubernetesSettingsReader(settings: settings)
        let apiKey = reader.text(.apiKeySecretName)
        apiKeySecret = apiKey.map { SecretKey(name: $0, key: reader.text(.apiKeySecretKey) ?? "value") }
        if let name = reader.text(.authStringSecretName) {
            authStringSecret = SecretKey(name: name, key: reader.text(.authStringSecretKey) ?? "value")
        }
        createsSecretForAPIKey = reader.flag(.createSecretForAPIKey) ?? false
        storesEnvironmentAsSecret = reader.flag(.storeEnvironmentAsSecret) ?? false
        creationAttempts = Int(reader.number(.creationAttempts, least: 1) ?? 3)
        creationDelay = .pause(seconds: reader.number(.creationDelay, least: 0) ?? 1)
        let least = reader.number(.leastCreationJitter, least: 0) ?? 0
        creationJitter = least...max(least, reader.number(.mostCreationJitter, least: 0) ?? 3)
        let observes = reader.flag(.observes)
        let replicates = observes ?? true && reader.flag(.replicatesPodEvents) ?? true
        forwardsCrashedLogs = reader.flag(.forwardsCrashedLogs) ?? true
        crashedLogLines = Int(reader.number(.crashedLogLines, least: 1) ?? 500)
        let mistakes = reader.warnings.count
        let scope = ObservationScope(
            namespaces: reader.names(.observedNamespaces) ?? [],
            labels: reader.pairs(.observedLabels) ?? [:])
        // Prefect's own default is to observe everything that the worker may see. Here that has to be asked for.
        // What is misspelt must not make that more than was meant.
        let isClear = reader.warnings.count == mistakes
        if isClear, observes ?? (scope != ObservationScope()) { observed = scope }
        if replicates { replicated = isClear ? scope : ObservationScope() }
        warnings = reader.warnings
    }
}
