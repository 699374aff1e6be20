public import BackendKit
internal import GoogleAccess
internal import Logging

/// Runs flow runs as jobs of Cloud Run, for work pools of the type `cloud-run`, through version 1 of its API.
public typealias CloudRunBackend = RemoteTaskBackend<CloudRunService>

/// Runs flow runs as jobs of Cloud Run, for work pools of the type `cloud-run-v2`, through version 2 of its API.
public typealias CloudRunV2Backend = RemoteTaskBackend<CloudRunV2Service>

/// Cloud Run through version 1 of its API.
public struct CloudRunService: RemoteTaskService {
    /// The constant properties of `cloud-run` pools.
    public static let traits = BackendTraits(
        type: "cloud-run", workerName: "CloudRunWorker", makeBaseJobTemplate: { CloudRunTemplate.v1 },
        settings: GoogleSettings.all(service: "run"), bringsInfrastructure: { $0.presets("credentials") })

    private let core: CloudRunCore

    /// Makes the service for a worker. Sends no request.
    public init(host: BackendHost) throws { core = try CloudRunCore(.v1, host) }

    /// Validates a job configuration, and completes it for a run.
    public func specification(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> CloudRunSpecification {
        try core.specification(rendered: rendered, for: run, preparing: context)
    }

    /// The client of a project and region.
    public func client(at place: CloudRunPlace) throws -> CloudRunClient { core.client(at: place) }

    /// Checks the identity, the permissions and the leftovers of the worker. Creates nothing.
    public func check(_ pools: [PoolJobs]) async -> BackendReport { await core.check(pools) }
}

/// Cloud Run through version 2 of its API.
public struct CloudRunV2Service: RemoteTaskService {
    /// The constant properties of `cloud-run-v2` pools.
    public static let traits = BackendTraits(
        type: "cloud-run-v2", workerName: "CloudRunV2Worker", makeBaseJobTemplate: { CloudRunTemplate.v2 },
        settings: GoogleSettings.all(service: "run"), bringsInfrastructure: { $0.presets("credentials") })

    private let core: CloudRunCore

    /// Makes the service for a worker. Sends no request.
    public init(host: BackendHost) throws { core = try CloudRunCore(.v2, host) }

    /// Validates a job configuration, and completes it for a run.
    public func specification(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> CloudRunSpecification {
        try core.specification(rendered: rendered, for: run, preparing: context)
    }

    /// The client of a project and region.
    public func client(at place: CloudRunPlace) throws -> CloudRunClient { core.client(at: place) }

    /// Checks the identity, the permissions and the leftovers of the worker. Creates nothing.
    public func check(_ pools: [PoolJobs]) async -> BackendReport { await core.check(pools) }
}

/// The versions of Cloud Run's API.
enum CloudRunVersion: Sendable, Hashable {
    case v1
    case v2
}

/// Both versions of the service.
struct CloudRunCore: Sendable {
    let version: CloudRunVersion
    let host: BackendHost
    let surroundings: GoogleSurroundings
    private let patience: CapacityPatience

    init(_ version: CloudRunVersion, _ host: BackendHost) throws(InfrastructureError) {
        self.version = version
        self.host = host
        surroundings = try GoogleSurroundings(host)
        patience = CapacityPatience(host)
    }

    func specification(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws(InfrastructureError) -> CloudRunSpecification {
        let configuration = try CloudRunConfiguration(
            version, rendered: rendered, for: host, isComplete: context != nil)
        let place = CloudRunPlace(
            version: version, credentials: configuration.credentials, region: configuration.region)
        guard let context else {
            return CloudRunSpecification(place: place, isKept: configuration.keepsJob)
        }
        let prepared = try configuration.prepared(for: run, context)
        for warning in prepared.warnings { run.reporter.log(.warning, warning) }
        let requests = CloudRunRequests(
            version: version, project: configuration.credentials.project ?? "{project of the metadata server}",
            region: configuration.region, universe: configuration.credentials.universe,
            environment: host.environment)
        return CloudRunSpecification(
            place: place, configuration: configuration, prepared: prepared, requests: requests, patience: patience)
    }

    func client(at place: CloudRunPlace) -> CloudRunClient {
        CloudRunClient(place, GoogleTokens(place.credentials, surroundings))
    }
}
