public import BackendKit
internal import GoogleAccess
internal import OrderedCollections

/// A project and a region of Cloud Run, with the credentials for it.
public struct CloudRunPlace: Sendable, Hashable {
    let version: CloudRunVersion
    let credentials: GoogleCredentials
    let region: String
}

/// A job of Cloud Run for one flow run.
public struct CloudRunSpecification: RemoteTaskSpecification {
    /// Where the job runs.
    public let place: CloudRunPlace
    /// The prepared configuration, and the requests in their order.
    public let description: JSONValue
    /// Whether the job runs Prefect's own flow engine.
    public let runsFlowEngine: Bool
    /// Whether the job is kept after its end.
    public let isKept: Bool
    /// How long the run may wait for quota.
    public let capacityPatience: Duration?
    /// The name of the job.
    let jobName: String
    /// The job as it is sent, without the marks of the worker.
    let body: JSONValue

    /// A job that is only watched and stopped.
    init(place: CloudRunPlace, isKept: Bool) {
        capacityPatience = nil
        self.place = place
        self.isKept = isKept
        description = [:]
        runsFlowEngine = true
        jobName = ""
        body = [:]
    }

    init(
        place: CloudRunPlace, configuration: CloudRunConfiguration, prepared: CloudRunConfiguration.Prepared,
        requests: CloudRunRequests, patience: CapacityPatience
    ) {
        capacityPatience = patience.duration
        self.place = place
        isKept = configuration.keepsJob
        runsFlowEngine = prepared.runsFlowEngine
        jobName = prepared.jobName
        body = prepared.body
        var shown = prepared.base.json
        shown["job_body"] = prepared.body
        shown["region"] = .string(configuration.region)
        shown["credentials"] = configuration.credentials.shown(block: configuration.base.rendered["credentials"])
        shown["keep_job"] = .bool(configuration.keepsJob)
        shown["timeout"] = configuration.timeout.map(JSONValue.int) ?? .null
        var sent = [
            requests.create(prepared.body, name: prepared.jobName), requests.job(prepared.jobName),
            requests.run(prepared.jobName),
        ]
        if configuration.version == .v2 { sent.append(requests.executions(of: prepared.jobName)) }
        sent.append(requests.delete(prepared.jobName))
        shown["requests"] = .array(sent.map(\.description))
        let ignored = configuration.ignoredVariables
        if !ignored.isEmpty { shown["ignored_job_variables"] = .array(ignored.map(JSONValue.string)) }
        description = shown
    }
}
