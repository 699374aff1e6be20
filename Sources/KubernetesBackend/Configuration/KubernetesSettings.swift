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
    /// Whether what happens to pods is told as events.
    var replicatesPodEvents = true
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
        let apiKey = reader.text("WORKER_API_KEY_SECRET_NAME")
        apiKeySecret = apiKey.map { SecretKey(name: $0, key: reader.text("WORKER_API_KEY_SECRET_KEY") ?? "value") }
        if let name = reader.text("WORKER_API_AUTH_STRING_SECRET_NAME") {
            authStringSecret = SecretKey(name: name, key: reader.text("WORKER_API_AUTH_STRING_SECRET_KEY") ?? "value")
        }
        createsSecretForAPIKey =
            reader.flag(
                "WORKER_CREATE_SECRET_FOR_API_KEY", alias: "PREFECT_KUBERNETES_WORKER_STORE_PREFECT_API_IN_SECRET")
            ?? false
        storesEnvironmentAsSecret = reader.flag("WORKER_STORE_ENV_AS_SECRET") ?? false
        creationAttempts = Int(reader.number("WORKER_CREATE_JOB_RETRY_MAX_RETRIES", least: 1) ?? 3)
        creationDelay = .seconds(reader.number("WORKER_CREATE_JOB_RETRY_DELAY_SECONDS", least: 0) ?? 1)
        let least = reader.number("WORKER_CREATE_JOB_RETRY_JITTER_MIN_SECONDS", least: 0) ?? 0
        creationJitter = least...max(least, reader.number("WORKER_CREATE_JOB_RETRY_JITTER_MAX_SECONDS", least: 0) ?? 3)
        let observes = reader.flag("OBSERVER_ENABLED")
        replicatesPodEvents = observes ?? true && reader.flag("OBSERVER_REPLICATE_POD_EVENTS") ?? true
        forwardsCrashedLogs = reader.flag("OBSERVER_FORWARD_CRASHED_RUN_LOGS") ?? true
        crashedLogLines = Int(reader.number("OBSERVER_FORWARD_CRASHED_RUN_LOGS_TAIL_LINES", least: 1) ?? 500)
        let mistakes = reader.warnings.count
        let scope = ObservationScope(
            namespaces: reader.names("OBSERVER_NAMESPACES") ?? [],
            labels: reader.pairs("OBSERVER_ADDITIONAL_LABEL_FILTERS") ?? [:])
        // Prefect's own default is to observe everything that the worker may see. Here that has to be asked for.
        // What is misspelt must not make that more than was meant.
        if reader.warnings.count == mistakes, observes ?? (scope != ObservationScope()) { observed = scope }
        warnings = reader.warnings
    }
}
