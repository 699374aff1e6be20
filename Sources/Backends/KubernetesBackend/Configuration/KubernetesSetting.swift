internal import BackendKit

/// The settings of Prefect's Kubernetes integration that this worker reads. Their names are those of its Python
/// worker, without the prefix.
enum KubernetesSetting: String, CaseIterable, Sendable {
    case apiKeySecretName = "WORKER_API_KEY_SECRET_NAME"
    case apiKeySecretKey = "WORKER_API_KEY_SECRET_KEY"
    case authStringSecretName = "WORKER_API_AUTH_STRING_SECRET_NAME"
    case authStringSecretKey = "WORKER_API_AUTH_STRING_SECRET_KEY"
    case createSecretForAPIKey = "WORKER_CREATE_SECRET_FOR_API_KEY"
    case storeEnvironmentAsSecret = "WORKER_STORE_ENV_AS_SECRET"
    case creationAttempts = "WORKER_CREATE_JOB_RETRY_MAX_RETRIES"
    case creationDelay = "WORKER_CREATE_JOB_RETRY_DELAY_SECONDS"
    case leastCreationJitter = "WORKER_CREATE_JOB_RETRY_JITTER_MIN_SECONDS"
    case mostCreationJitter = "WORKER_CREATE_JOB_RETRY_JITTER_MAX_SECONDS"
    case observes = "OBSERVER_ENABLED"
    case observedNamespaces = "OBSERVER_NAMESPACES"
    case observedLabels = "OBSERVER_ADDITIONAL_LABEL_FILTERS"
    case replicatesPodEvents = "OBSERVER_REPLICATE_POD_EVENTS"
    case forwardsCrashedLogs = "OBSERVER_FORWARD_CRASHED_RUN_LOGS"
    case crashedLogLines = "OBSERVER_FORWARD_CRASHED_RUN_LOGS_TAIL_LINES"

    /// The variables that define the setting; the first takes precedence over the others.
    var variables: [String] {
        let own = "PREFECT_INTEGRATIONS_KUBERNETES_\(rawValue)"
        guard self == .createSecretForAPIKey else { return [own] }
        return [own, "PREFECT_KUBERNETES_WORKER_STORE_PREFECT_API_IN_SECRET"]
    }

    /// The value that applies while no variable sets it; `nil` if there is none.
    var defaultText: String? {
        switch self {
        case .apiKeySecretName, .authStringSecretName, .observes, .observedNamespaces, .observedLabels: nil
        case .apiKeySecretKey, .authStringSecretKey: "value"
        case .createSecretForAPIKey, .storeEnvironmentAsSecret: "False"
        case .creationAttempts, .mostCreationJitter: "3"
        case .creationDelay: "1"
        case .leastCreationJitter: "0"
        case .replicatesPodEvents, .forwardsCrashedLogs: "True"
        case .crashedLogLines: "500"
        }
    }

    /// The expected form of a value.
    var expectation: String {
        switch self {
        case .apiKeySecretName, .apiKeySecretKey, .authStringSecretName, .authStringSecretKey: "a string"
        case .createSecretForAPIKey, .storeEnvironmentAsSecret, .observes, .replicatesPodEvents, .forwardsCrashedLogs:
            "true or false"
        case .creationAttempts, .crashedLogLines: "a number from 1 to 86400"
        case .creationDelay, .leastCreationJitter, .mostCreationJitter: "a number from 0 to 86400"
        case .observedNamespaces: "names, separated by commas"
        case .observedLabels: "labels and their values, like a=1,b=2"
        }
    }

    /// The effect of the setting.
    var meaning: String {
        switch self {
        case .apiKeySecretName: "The secret, in the namespace of the jobs, that holds the API key."
        case .apiKeySecretKey: "The key in that secret."
        case .authStringSecretName: "The secret, in the namespace of the jobs, that holds the auth string."
        case .authStringSecretKey: "The key in that secret."
        case .createSecretForAPIKey: "Creates a secret for the API key of each job, and deletes it after the run."
        case .storeEnvironmentAsSecret:
            "Creates a secret for the environment of each job, and deletes it after the run."
        case .creationAttempts: "The number of attempts to create a job."
        case .creationDelay: "Seconds between two attempts."
        case .leastCreationJitter: "The minimum of the random seconds added to these."
        case .mostCreationJitter: "The maximum of the random seconds added to these."
        case .observes:
            "`True` also observes the runs of other workers, `False` neither these nor the phases of pods. Default: "
                + "other runs only if namespaces or labels are set, phases always."
        case .observedNamespaces:
            "The namespaces in which runs of other workers are observed and phases of pods are reported. Default: the whole "
                + "cluster."
        case .observedLabels:
            "The labels of the runs of other workers to observe, and of the pods whose phases are reported."
        case .replicatesPodEvents: "Reports the phases of pods as events."
        case .forwardsCrashedLogs: "Copies the last lines of crashed pods to the run's log."
        case .crashedLogLines: "The number of lines."
        }
    }

    /// The setting as the worker's documentation shows it.
    var shown: BackendSetting {
        BackendSetting(
            variables: variables, key: "integrations.kubernetes.\(rawValue.lowercased())", expectation: expectation,
            defaultText: defaultText, meaning: meaning)
    }
}
