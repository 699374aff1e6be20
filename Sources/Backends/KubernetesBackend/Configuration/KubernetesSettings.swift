internal import PrefectClient
internal import PrefectJSON

/// The settings of Prefect's Kubernetes integration, read under the names that its Python worker uses.
struct KubernetesSettings: Sendable, Hashable {
    /// An existing secret, by its name and key.
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
    /// The number of attempts to create a job.
    var creationAttempts = 3
    /// The pause before the next attempt.
    var creationDelay = Duration.seconds(1)
    /// The random addition to that pause, in seconds.
    var creationJitter = 0.0...3.0
    /// The pods whose phases are reported as events, including those of this worker's own runs; `nil` for none.
    var replicated: ObservationScope?
    /// Whether the last lines of a pod that crashed go into the run's log.
    var forwardsCrashedLogs = true
    /// The number of these lines.
    var crashedLogLines = 500

    /// The runs of other workers that are observed as well; `nil` for none.
    var observed: ObservationScope?

    /// One line for each invalid setting, with its problem and the value that applies instead.
    private(set) var warnings: [String] = []

    /// Reads the settings of the integration.
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
        // By default, Prefect observes everything that the worker may see. Here this needs an explicit setting. A
        // mistake in a setting must not extend the scope.
        let isClear = reader.warnings.count == mistakes
        if isClear, observes ?? (scope != ObservationScope()) { observed = scope }
        if replicates { replicated = isClear ? scope : ObservationScope() }
        warnings = reader.warnings
    }
}
