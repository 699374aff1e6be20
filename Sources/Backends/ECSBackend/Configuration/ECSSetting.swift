internal import BackendKit

/// The settings of Prefect's AWS integration that this worker reads, under the names of its Python worker.
enum ECSSetting: String, CaseIterable, Sendable {
    case observes = "OBSERVER_ENABLED"
    case queueName = "OBSERVER_SQS_QUEUE_NAME"
    case queueRegion = "OBSERVER_SQS_QUEUE_REGION"
    case forwardsCrashedLogs = "OBSERVER_FORWARD_CRASHED_RUN_LOGS"
    case crashedLogLines = "OBSERVER_FORWARD_CRASHED_RUN_LOGS_MAX_EVENTS"
    case creationAttempts = "WORKER_CREATE_TASK_RUN_MAX_ATTEMPTS"
    case creationDelay = "WORKER_CREATE_TASK_RUN_MIN_DELAY_SECONDS"
    case leastCreationJitter = "WORKER_CREATE_TASK_RUN_MIN_DELAY_JITTER_SECONDS"
    case mostCreationJitter = "WORKER_CREATE_TASK_RUN_MAX_DELAY_JITTER_SECONDS"
    case registrationAttempts = "WORKER_REGISTER_TASK_DEFINITION_MAX_ATTEMPTS"
    case registrationDelay = "WORKER_REGISTER_TASK_DEFINITION_INITIAL_DELAY_SECONDS"
    case longestRegistrationDelay = "WORKER_REGISTER_TASK_DEFINITION_MAX_DELAY_SECONDS"

    /// The variable that sets it.
    var variable: String { "PREFECT_INTEGRATIONS_AWS_ECS_\(rawValue)" }

    /// The key below `integrations.aws.ecs` in `prefect.toml`.
    private var key: String {
        let name = rawValue.lowercased()
        return ["observer_sqs_", "observer_", "worker_"].first { name.hasPrefix($0) }.map { prefix in
            "\(prefix.dropLast().replacing("_", with: ".")).\(name.dropFirst(prefix.count))"
        } ?? name
    }

    /// The value that applies while no variable sets it; `nil` if there is none.
    var defaultText: String? {
        switch self {
        case .observes, .forwardsCrashedLogs: "True"
        case .queueName: "prefect-ecs-tasks-events"
        case .queueRegion: nil
        case .crashedLogLines: "500"
        case .creationAttempts, .registrationAttempts, .mostCreationJitter: "3"
        case .creationDelay, .registrationDelay: "1"
        case .leastCreationJitter: "0"
        case .longestRegistrationDelay: "10"
        }
    }

    /// The expected form of a value.
    var expectation: String {
        switch self {
        case .observes, .forwardsCrashedLogs: "true or false"
        case .queueName, .queueRegion: "a name"
        case .crashedLogLines: "a number from 1 to 10000"
        case .creationAttempts, .registrationAttempts: "a number from 1 to 86400"
        default: "a number from 0 to 86400"
        }
    }

    /// The effect of the setting.
    var meaning: String {
        switch self {
        case .observes:
            "Reads the queue of task events, if it exists. Without it, tasks are only described at intervals."
        case .queueName: "The queue of task events."
        case .queueRegion: "The region of the queue. Default: the region of the tasks."
        case .forwardsCrashedLogs: "Copies the last lines of crashed tasks from CloudWatch to the run's log."
        case .crashedLogLines: "The number of lines."
        case .creationAttempts: "The number of attempts to run a task before the worker makes longer pauses."
        case .creationDelay: "Seconds between two attempts."
        case .leastCreationJitter: "The minimum of the random seconds added to these."
        case .mostCreationJitter: "The maximum of the random seconds added to these."
        case .registrationAttempts:
            "The number of attempts to register a task definition before the worker makes longer pauses."
        case .registrationDelay: "Seconds after the first of these attempts; they double each time."
        case .longestRegistrationDelay: "The greatest number of these seconds."
        }
    }

    /// The setting as the worker's documentation shows it.
    var shown: BackendSetting {
        BackendSetting(
            variables: [variable], key: "integrations.aws.ecs.\(key)", expectation: expectation,
            defaultText: defaultText, meaning: meaning)
    }
}
