internal import AWSAccess
internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// The job configuration of a flow run that runs as an ECS task.
struct ECSConfiguration: Sendable {
    /// The name that the container of the flow has unless another is configured.
    static let usualContainer = "prefect"

    let base: BaseJobConfiguration
    /// The command, the environment, the labels and the name for one run; `nil` before the preparation.
    var prepared: PreparedJobConfiguration?
    /// The block with the credentials; empty for the worker's own.
    let credentials: JSONValue
    /// The task definition as configured.
    let taskDefinition: JSONValue
    /// The request that runs the task, as configured.
    let taskRunRequest: JSONValue
    let configuresLogs: Bool?
    let logOptions: OrderedDictionary<String, JSONValue>
    let logPrefix: String?
    let networkConfiguration: JSONValue
    let deregistersDefinition: Bool
    let vpcID: String?
    let containerName: String?
    let cluster: String?
    let matchesLatestRevision: Bool
    let apiKeySecret: String?
    let authStringSecret: String?
    let executionRole: String?
    /// The fields that have no effect any more.
    private let obsolete: OrderedDictionary<String, JSONValue>

    /// Reads a rendered job configuration. Throws ``InfrastructureError`` of the kind `refused`.
    ///
    /// - Parameter isComplete: Whether the configuration must be able to start a task.
    init(rendered: JSONValue, isComplete: Bool) throws(InfrastructureError) {
        base = try InfrastructureError.refusing { try BaseJobConfiguration(rendered: rendered) }
        let fields = RenderedFields(rendered)
        func text(_ field: String) throws(InfrastructureError) -> String? {
            try fields.text(field).flatMap { $0.isEmpty ? nil : $0 }
        }
        credentials = try fields.object("aws_credentials") ?? [:]
        taskDefinition = try fields.object("task_definition") ?? [:]
        taskRunRequest = try fields.object("task_run_request") ?? [:]
        configuresLogs =
            rendered["configure_cloudwatch_logs"].map { $0.isNull } ?? true
            ? nil : try fields.boolean("configure_cloudwatch_logs", default: false)
        logOptions = try fields.object("cloudwatch_logs_options")?.objectValue ?? [:]
        logPrefix = try text("cloudwatch_logs_prefix")
        networkConfiguration = try fields.object("network_configuration") ?? [:]
        deregistersDefinition = try fields.boolean("auto_deregister_task_definition", default: false)
        vpcID = try text("vpc_id")
        cluster = try text("cluster")
        matchesLatestRevision = try fields.boolean("match_latest_revision_in_family", default: false)
        apiKeySecret = try text("prefect_api_key_secret_arn")
        authStringSecret = try text("prefect_api_auth_string_secret_arn")
        executionRole = try text("execution_role_arn")
        containerName = try text("container_name") ?? Self.containerName(in: taskDefinition)
        obsolete = [
            "stream_output": rendered["stream_output"] ?? .null,
            "task_start_timeout_seconds": rendered["task_start_timeout_seconds"] ?? 300,
            "task_watch_poll_interval": .double(rendered["task_watch_poll_interval"]?.doubleValue ?? 5),
        ]
        if isComplete { try validate() }
    }

    /// The name of the flow's container in a task definition: the usual one, or else the first; `nil` if it has none.
    static func containerName(in definition: JSONValue) -> String? {
        let containers = definition["containerDefinitions"]?.arrayValue ?? []
        if containers.contains(where: { $0["name"]?.stringValue == usualContainer }) { return usualContainer }
        return containers.first?["name"]?.stringValue
    }

    /// The task definition that the request names; `nil` if the worker registers one.
    var namedDefinition: String? {
        taskRunRequest["taskDefinition"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The launch type of the request; `nil` when it has none.
    var launchType: String? { taskRunRequest["launchType"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 } }

    /// The strategy of the request; empty when it has none.
    var capacityProviders: [JSONValue] { taskRunRequest["capacityProviderStrategy"]?.arrayValue ?? [] }

    /// The configuration as the worker shows it.
    var json: JSONValue {
        var fields: OrderedDictionary<String, JSONValue> = (prepared?.json ?? base.json).objectValue ?? [:]
        for key in fields.keys where !["command", "env", "labels", "name"].contains(key) { fields[key] = nil }
        let own: OrderedDictionary<String, JSONValue> = [
            "aws_credentials": credentials, "task_definition": taskDefinition, "task_run_request": taskRunRequest,
            "configure_cloudwatch_logs": configuresLogs.map { .bool($0) } ?? .null,
            "cloudwatch_logs_options": .object(logOptions), "cloudwatch_logs_prefix": JSONValue(logPrefix),
            "network_configuration": networkConfiguration,
            "stream_output": obsolete["stream_output"] ?? .null,
            "task_start_timeout_seconds": obsolete["task_start_timeout_seconds"] ?? .null,
            "task_watch_poll_interval": obsolete["task_watch_poll_interval"] ?? .null,
            "auto_deregister_task_definition": .bool(deregistersDefinition), "vpc_id": JSONValue(vpcID),
            "container_name": JSONValue(containerName), "cluster": JSONValue(cluster),
            "match_latest_revision_in_family": .bool(matchesLatestRevision),
            "prefect_api_key_secret_arn": JSONValue(apiKeySecret),
            "prefect_api_auth_string_secret_arn": JSONValue(authStringSecret),
            "execution_role_arn": JSONValue(executionRole),
        ]
        fields.merge(own) { $1 }
        return .object(fields)
    }

    /// Completes the configuration for one flow run. Credentials that the task gets from a secret do not go into its
    /// environment.
    func prepared(for context: PreparationContext) throws(InfrastructureError) -> ECSConfiguration {
        var result = self
        var prepared = try InfrastructureError.refusing { try base.prepare(for: context) }
        for (name, secret) in secrets where secret != nil { prepared.env[name] = nil }
        result.prepared = prepared
        return result
    }

    /// The variables with credentials for the API of Prefect.
    static let secretNames = ["PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"]

    /// The variables that a task gets from secrets of AWS, with the ARNs of these.
    var secrets: OrderedDictionary<String, String?> {
        ["PREFECT_API_KEY": apiKeySecret, "PREFECT_API_AUTH_STRING": authStringSecret]
    }
}
