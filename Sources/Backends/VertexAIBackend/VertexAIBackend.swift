public import BackendKit
internal import GoogleAccess
internal import Logging
internal import OrderedCollections

/// Runs flow runs as custom jobs of Vertex AI, for work pools of the type `vertex-ai`.
public typealias VertexAIBackend = RemoteTaskBackend<VertexAIService>

/// The custom jobs of Vertex AI.
public struct VertexAIService: RemoteTaskService {
    /// The constant properties of `vertex-ai` pools.
    public static let traits = BackendTraits(
        type: "vertex-ai", workerName: "VertexAIWorker", makeBaseJobTemplate: { VertexAITemplate.template },
        settings: GoogleSettings.all(service: "aiplatform"),
        bringsInfrastructure: { $0.presets("credentials") })

    private let host: BackendHost
    private let surroundings: GoogleSurroundings
    private let patience: CapacityPatience

    /// Makes the service for a worker. Sends no request.
    public init(host: BackendHost) throws {
        self.host = host
        surroundings = try GoogleSurroundings(host)
        patience = CapacityPatience(host)
    }

    /// Validates a job configuration, and completes it for a run.
    public func specification(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> VertexAISpecification {
        let configuration = try VertexAIConfiguration(rendered: rendered, for: host, isComplete: context != nil)
        let place = VertexAIPlace(credentials: configuration.credentials, region: configuration.region)
        guard let context else { return VertexAISpecification(place: place) }
        let prepared = try configuration.prepared(for: run, context)
        for warning in prepared.warnings { run.reporter.log(.warning, warning) }
        return VertexAISpecification(
            place: place, configuration: configuration, prepared: prepared,
            requests: VertexAIRequests(
                project: configuration.credentials.project ?? "{project of the metadata server}",
                region: configuration.region, universe: configuration.credentials.universe,
                environment: host.environment), patience: patience)
    }

    /// The client of a project and region.
    public func client(at place: VertexAIPlace) throws -> VertexAIClient {
        VertexAIClient(place, GoogleTokens(place.credentials, surroundings))
    }

    /// Checks the identity, the permissions and the jobs of the worker. Creates nothing.
    public func check(_ pools: [PoolJobs]) async -> BackendReport {
        let permissions = [
            "aiplatform.customJobs.create", "aiplatform.customJobs.get", "aiplatform.customJobs.list",
            "aiplatform.customJobs.cancel",
        ]
        let check = GoogleCheck(surroundings: surroundings, host: host, defaultRegion: "us-central1")
        return await check.report(
            pools, fields: ["region", "credentials", "job_spec"], permissions: permissions
        ) { place in
            let named = place.fields["job_spec"]?["service_account_name"]?.stringValue
            let account = (try? await place.tokens.serviceAccount()) ?? nil
            let client = VertexAIClient(
                VertexAIPlace(credentials: place.credentials, region: place.region), place.tokens)
            let unknown = BackendReport.Finding(
                subject: "jobs run as",
                detail: "no service account is known; name one in the job variable 'service_account_name'",
                isGood: false, isPartial: true)
            let runsAs = if let name = named ?? account { await check.actAs(name, place.tokens) } else { unknown }
            return [runsAs, await client.jobsOfWorkers()]
        }
    }
}

/// A project and a region of Vertex AI, with the credentials for it.
public struct VertexAIPlace: Sendable, Hashable {
    let credentials: GoogleCredentials
    let region: String
}

/// A custom job of Vertex AI for one flow run.
public struct VertexAISpecification: RemoteTaskSpecification {
    /// Where the job runs.
    public let place: VertexAIPlace
    /// The prepared configuration, and the requests in their order.
    public let description: JSONValue
    /// Whether the job runs Prefect's own flow engine.
    public let runsFlowEngine: Bool
    /// How long the run may wait for quota.
    public let capacityPatience: Duration?
    /// The job as it is sent, without the marks of the worker.
    let body: JSONValue

    /// Always `true`: Vertex AI shows jobs that have ended in its history, and the Python worker leaves them there.
    public var isKept: Bool { true }

    /// A job that is only watched and stopped.
    init(place: VertexAIPlace) {
        self.place = place
        description = [:]
        runsFlowEngine = true
        capacityPatience = nil
        body = [:]
    }

    init(
        place: VertexAIPlace, configuration: VertexAIConfiguration, prepared: VertexAIConfiguration.Prepared,
        requests: VertexAIRequests, patience: CapacityPatience
    ) {
        self.place = place
        capacityPatience = patience.duration
        runsFlowEngine = prepared.runsFlowEngine
        body = prepared.body
        var shown = prepared.base.json
        shown["job_spec"] = prepared.jobSpec
        shown["credentials"] = configuration.credentials.shown(block: configuration.base.rendered["credentials"])
        shown["requests"] = [requests.create(prepared.body).description]
        let ignored = configuration.ignoredVariables
        if !ignored.isEmpty { shown["ignored_job_variables"] = .array(ignored.map(JSONValue.string)) }
        description = shown
    }
}
