internal import AWSAccess
public import BackendKit
internal import JobTemplates
internal import Logging
internal import PrefectJSON
internal import Synchronization

/// The backend for work pools of the type `ecs`.
public typealias ECSBackend = RemoteTaskBackend<ECSService>

/// Runs flow runs as tasks of Amazon Elastic Container Service.
public struct ECSService: RemoteTaskService {
    /// The constant properties of the backend.
    public static let traits = BackendTraits(
        type: "ecs", workerName: "ECSWorker", makeBaseJobTemplate: { ECSTemplate.template }, isDoneOnceStarted: true,
        holdsSlotUntilEnd: false,
        settings: ECSSetting.allCases.map(\.shown) + [CapacityPatience.setting] + AWSSettings.all,
        bringsInfrastructure: { template in
            template.variables["properties"]?["aws_credentials"]?["default"].map { !$0.isNull } ?? false
        })

    let connections: AWSConnections
    let settings: ECSSettings
    let patience: CapacityPatience
    let allowsHostCredentials: Bool
    let logger: Logger
    let environment: [String: String]
    private let memory: DefinitionMemory
    private let freshness: Duration
    private let queues = TaskEventQueues()

    /// Makes the service for a worker. Sends no request.
    public init(host: BackendHost) throws {
        try self.init(host: host, endpoint: nil, freshness: .seconds(60))
    }

    /// - Parameters:
    ///   - endpoint: The URL for all services, instead of every other one.
    ///   - freshness: For how long a description of a definition or a network counts.
    package init(host: BackendHost, endpoint: String?, freshness: Duration) throws {
        connections = try AWSConnections(environment: host.environment, endpoint: endpoint)
        settings = ECSSettings(host.settings)
        patience = CapacityPatience(host)
        allowsHostCredentials = host.allowsHostCredentials
        logger = host.logger
        environment = host.environment
        memory = DefinitionMemory(stateDirectory: host.stateDirectory)
        self.freshness = freshness
        for warning in settings.warnings { host.logger.warning("\(warning)") }
    }

    /// Validates a rendered job configuration, and completes it for a run.
    public func specification(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> ECSSpecification {
        let configuration = try ECSConfiguration(rendered: rendered, isComplete: context != nil)
        let place = try place(of: configuration)
        guard let context else {
            return ECSSpecification(
                place: place, configuration: configuration, definition: nil, subject: "",
                capacityPatience: patience.duration)
        }
        let prepared = try configuration.prepared(for: context)
        let isNamed = configuration.namedDefinition != nil
        return ECSSpecification(
            place: place, configuration: prepared,
            definition: isNamed ? nil : try Definition.make(configuration, for: context, region: place.region),
            subject: Definition.subject(of: context), capacityPatience: patience.duration)
    }

    /// The cluster and the credentials of a job.
    func place(of configuration: ECSConfiguration) throws(InfrastructureError) -> ECSPlace {
        let credentials = try AWSConfiguration(
            block: configuration.credentials, allowsHostCredentials: allowsHostCredentials)
        let cluster = configuration.cluster ?? configuration.taskRunRequest["cluster"]?.stringValue
        return ECSPlace(
            credentials: credentials, region: try connections.connection(credentials).region,
            cluster: cluster.flatMap { $0.isEmpty ? nil : $0 }, namedCluster: configuration.cluster)
    }

    /// Makes the client of a place.
    public func client(at place: ECSPlace) throws -> ECSClient {
        let connection = try connections.connection(place.credentials)
        let ecs = connection.client(.ecs)
        return ECSClient(
            place: place, connection: connection, ecs: ecs,
            definitions: Definitions(
                ecs, place: place.name, memory: memory, settings: settings, freshness: freshness, logger: logger),
            networks: Networks(connection.client(.ec2), freshness: freshness), settings: settings,
            queue: settings.queueName.map { name in
                queues.queue(connection, region: settings.queueRegion ?? place.region, name: name, logger: logger)
            }, logger: logger)
    }
}

/// The queues of task events: one for each set of credentials and region.
private final class TaskEventQueues: Sendable {
    private struct Key: Hashable {
        let credentials: AWSConfiguration
        let region: String
    }

    private let known = Mutex<[Key: TaskEventQueue]>([:])

    func queue(_ connection: AWSConnection, region: String, name: String, logger: Logger) -> TaskEventQueue {
        let key = Key(credentials: connection.configuration, region: region)
        let fresh = TaskEventQueue(connection.client(.sqs, in: region), name: name, logger: logger)
        return known.withLock { known in
            if let kept = known[key] { return kept }
            known[key] = fresh
            return fresh
        }
    }
}
