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

    /// What was wrong with a variable, and what holds instead; a line each.
    private(set) var warnings: [String] = []

    /// Reads the settings from the worker's environment.
    init(environment: [String: String]) {
        var reader = Reader(environment: environment)
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
        replicatesPodEvents =
            reader.flag("OBSERVER_ENABLED") ?? true && reader.flag("OBSERVER_REPLICATE_POD_EVENTS") ?? true
        forwardsCrashedLogs = reader.flag("OBSERVER_FORWARD_CRASHED_RUN_LOGS") ?? true
        crashedLogLines = Int(reader.number("OBSERVER_FORWARD_CRASHED_RUN_LOGS_TAIL_LINES", least: 1) ?? 500)
        warnings = reader.warnings
        for name in ["OBSERVER_NAMESPACES", "OBSERVER_ADDITIONAL_LABEL_FILTERS"] where reader.text(name) != nil {
            warnings.append(
                "PREFECT_INTEGRATIONS_KUBERNETES_\(name) has no effect: this worker observes its own runs, wherever they are"
            )
        }
    }

    private struct Reader {
        let environment: [String: String]
        var warnings: [String] = []

        init(environment: [String: String]) {
            // Prefect's settings do not regard case.
            self.environment = Dictionary(
                environment.filter { $0.key.uppercased().hasPrefix("PREFECT_") }.map {
                    ($0.key.uppercased(), $0.value)
                },
                uniquingKeysWith: { $1 })
        }

        func text(_ name: String, alias: String? = nil) -> String? {
            let value = environment["PREFECT_INTEGRATIONS_KUBERNETES_\(name)"] ?? alias.flatMap { environment[$0] }
            return value.flatMap { $0.isEmpty ? nil : $0 }
        }

        mutating func flag(_ name: String, alias: String? = nil) -> Bool? {
            guard let text = text(name, alias: alias) else { return nil }
            switch text.lowercased() {
            case "1", "true", "yes", "on", "t", "y": return true
            case "0", "false", "no", "off", "f", "n": return false
            default:
                warn(name, "true or false")
                return nil
            }
        }

        mutating func number(_ name: String, least: Double) -> Double? {
            guard let text = text(name) else { return nil }
            guard let value = Double(text), (least...86_400).contains(value) else {
                warn(name, "a number from \(least) to 86400")
                return nil
            }
            return value
        }

        private mutating func warn(_ name: String, _ expected: String) {
            warnings.append(
                "PREFECT_INTEGRATIONS_KUBERNETES_\(name) should be \(expected): its default holds; correct it")
        }
    }
}
