public import BackendKit
internal import GoogleAccess
internal import Logging

/// Runs flow runs as jobs of Cloud Run, for work pools of the type `cloud-run`, through version 1 of its API.
public typealias CloudRunBackend = RemoteTaskBackend<CloudRunService<CloudRunV1>>

/// Runs flow runs as jobs of Cloud Run, for work pools of the type `cloud-run-v2`, through version 2 of its API.
public typealias CloudRunV2Backend = RemoteTaskBackend<CloudRunService<CloudRunV2>>

/// The versions of Cloud Run's API.
public enum CloudRunVersion: Sendable, Hashable {
    /// Version 1, whose jobs are resources of Knative.
    case v1
    /// Version 2.
    case v2
}

/// A version of Cloud Run's API as a parameter of ``CloudRunService``, with the type of pool that uses it.
public protocol CloudRunAPI: Sendable {
    /// The version.
    static var version: CloudRunVersion { get }
    /// The constant properties of the type of pool.
    static var traits: BackendTraits { get }
}

/// Version 1, for `cloud-run` pools.
public enum CloudRunV1: CloudRunAPI {
    /// Version 1.
    public static let version = CloudRunVersion.v1
    /// The constant properties of `cloud-run` pools.
    public static let traits = BackendTraits(
        type: "cloud-run", workerName: "CloudRunWorker", makeBaseJobTemplate: { CloudRunTemplate.v1 },
        settings: GoogleSettings.all(service: "run"), bringsInfrastructure: { $0.presets("credentials") })
}

/// Version 2, for `cloud-run-v2` pools.
public enum CloudRunV2: CloudRunAPI {
    /// Version 2.
    public static let version = CloudRunVersion.v2
    /// The constant properties of `cloud-run-v2` pools.
    public static let traits = BackendTraits(
        type: "cloud-run-v2", workerName: "CloudRunV2Worker", makeBaseJobTemplate: { CloudRunTemplate.v2 },
        settings: GoogleSettings.all(service: "run"), bringsInfrastructure: { $0.presets("credentials") })
}

/// Cloud Run through one version of its API.
public struct CloudRunService<API: CloudRunAPI>: RemoteTaskService {
    /// The constant properties of the type of pool.
    public static var traits: BackendTraits { API.traits }

    let host: BackendHost
    let surroundings: GoogleSurroundings
    private let patience: CapacityPatience

    var version: CloudRunVersion { API.version }

    /// Makes the service for a worker. Sends no request.
    public init(host: BackendHost) throws {
        self.host = host
        surroundings = try GoogleSurroundings(host)
        patience = CapacityPatience(host)
    }

    /// Validates a job configuration, and completes it for a run.
    public func specification(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> CloudRunSpecification {
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

    /// The client of a project and region.
    public func client(at place: CloudRunPlace) throws -> CloudRunClient {
        CloudRunClient(place, GoogleTokens(place.credentials, surroundings))
    }
}
