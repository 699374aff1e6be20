internal import BackendKit
internal import GoogleAccess
internal import OrderedCollections

/// The job configuration of a flow run that runs as a custom job of Vertex AI.
struct VertexAIConfiguration: Sendable {
    /// A job that is ready to be created.
    struct Prepared: Sendable {
        let base: PreparedJobConfiguration
        /// The job in the words of the template.
        let jobSpec: JSONValue
        /// The job in the words of the service.
        let body: JSONValue
        let runsFlowEngine: Bool
        let warnings: [String]
    }

    let base: BaseJobConfiguration
    let credentials: GoogleCredentials
    let region: String
    let jobSpec: JSONValue

    /// Reads a rendered job configuration. Throws ``InfrastructureError`` of the kind `refused`, which names the job
    /// variable.
    ///
    /// - Parameter isComplete: Whether a job is to be created. A job that is only watched needs no specification.
    init(rendered: JSONValue, for host: BackendHost, isComplete: Bool) throws(InfrastructureError) {
        base = try InfrastructureError.refusing { try BaseJobConfiguration(rendered: rendered) }
        let fields = RenderedFields(rendered)
        credentials = try GoogleCredentials.read(rendered["credentials"], for: host)
        let region = try fields.text("region") ?? ""
        if region.isEmpty, isComplete {
            throw InfrastructureError(
                .refused, "The job variable 'region' is missing: name a region of Vertex AI, like us-central1")
        }
        self.region = region.isEmpty ? "us-central1" : try GoogleRegion.check(region)
        jobSpec = rendered["job_spec"] ?? .null
        if isComplete { try Self.check(jobSpec) }
    }

    private static func check(_ jobSpec: JSONValue) throws(InfrastructureError) {
        let pool = jobSpec["worker_pool_specs"]?[0] ?? .null
        let required: [(String, JSONValue?)] = [
            ("/maximum_run_time_hours", jobSpec["maximum_run_time_hours"]),
            ("/worker_pool_specs/0", pool.objectValue.map { .object($0) }),
            ("/worker_pool_specs/0/replica_count", pool["replica_count"]),
            ("/worker_pool_specs/0/container_spec/image_uri", pool["container_spec"]?["image_uri"]),
            ("/worker_pool_specs/0/machine_spec/machine_type", pool["machine_spec"]?["machine_type"]),
            ("/worker_pool_specs/0/disk_spec/boot_disk_type", pool["disk_spec"]?["boot_disk_type"]),
            ("/worker_pool_specs/0/disk_spec/boot_disk_size_gb", pool["disk_spec"]?["boot_disk_size_gb"]),
        ]
        let missing = required.filter { $0.1 == nil }.map(\.0)
        guard missing.isEmpty else {
            throw InfrastructureError(
                .refused,
                "Job is missing required attributes at the following paths: \(missing.joined(separator: ", ")); set the "
                    + "job variables that 'job_spec' of the base job template takes them from")
        }
    }

    /// Completes the configuration for one flow run.
    func prepared(for run: RunContext, _ context: PreparationContext) throws(InfrastructureError) -> Prepared {
        let prepared = try InfrastructureError.refusing { try base.prepare(for: context) }
        var spec = jobSpec
        var pools = spec["worker_pool_specs"]?.arrayValue ?? []
        guard var pool = pools.first, var container = pool["container_spec"] else {
            throw InfrastructureError(.refused, "The job has no container; add 'worker_pool_specs' to 'job_spec'")
        }
        container["env"] = .array(prepared.env.map { ["name": .string($0.key), "value": .string($0.value)] })
        let command = try CommandWords.words(container["command"], of: "command")
        let usual = BaseJobConfiguration.defaultCommand.split(separator: " ").map { JSONValue.string(String($0)) }
        container["command"] = .array(command ?? usual)
        pool["container_spec"] = container
        pools[0] = pool
        spec["worker_pool_specs"] = .array(pools)
        let named = spec["service_account_name"]?.stringValue ?? spec["service_account"]?.stringValue
        let account = named.flatMap { $0.isEmpty ? nil : $0 } ?? credentials.serviceAccount
        if account == nil, credentials.source != .metadataServer {
            throw InfrastructureError(
                .refused,
                "A service account is required for the Vertex job, and the credentials of the \(credentials.origin) have "
                    + "none: set the job variable 'service_account_name'")
        }
        if let account { spec["service_account_name"] = .string(account) }
        let name = "\(prepared.name.prefix(Self.longestName))-\(GoogleNames.digits(ofClaim: run.claimID))"
        let body: JSONValue = [
            "displayName": .string(name), "jobSpec": try CustomJobSpecification.json(spec),
            "labels": JSONValue(GoogleLabels.transliterated(prepared.labels)),
        ]
        return Prepared(
            base: prepared, jobSpec: spec, body: body, runsFlowEngine: command == nil,
            warnings: ["PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"].filter { prepared.env[$0] != nil }.map {
                "\($0) is provided as a plaintext environment variable, which everybody can read who may see the job"
            })
    }

    /// The most characters of a run's name in the name of a job, which has at most 128.
    static let longestName = 95

    /// The fields of the configuration that have no effect.
    var ignoredVariables: [String] {
        let known: Set = ["command", "env", "labels", "name", "region", "credentials", "job_spec"]
        return (base.rendered.objectValue ?? [:]).keys.filter { !known.contains($0) }
    }
}
