internal import BackendKit
internal import GoogleAccess
internal import OrderedCollections

/// The job configuration of a flow run that runs as a job of Cloud Run.
struct CloudRunConfiguration: Sendable {
    /// A secret of Google's Secret Manager.
    struct Secret: Sendable, Hashable {
        let name: String
        let version: String
    }

    let version: CloudRunVersion
    let base: BaseJobConfiguration
    let credentials: GoogleCredentials
    let region: String
    let keepsJob: Bool
    /// In seconds.
    let timeout: Int?
    let keySecret: Secret?
    let authorizationSecret: Secret?
    let environmentSecrets: OrderedDictionary<String, Secret>
    let sqlInstances: [JSONValue]
    /// The job as the template yields it.
    let body: JSONValue

    /// Reads a rendered job configuration. Throws ``InfrastructureError`` of the kind `refused`, which names the job
    /// variable.
    ///
    /// - Parameter isComplete: Whether a job is to be created. A job that is only watched needs no body.
    init(
        _ version: CloudRunVersion, rendered: JSONValue, for host: BackendHost, isComplete: Bool
    ) throws(InfrastructureError) {
        self.version = version
        base = try InfrastructureError.refusing { try BaseJobConfiguration(rendered: rendered) }
        let fields = RenderedFields(rendered)
        credentials = try GoogleCredentials.read(rendered["credentials"], for: host)
        region = try GoogleRegion.check(fields.text("region") ?? "us-central1")
        keepsJob = rendered["keep_job"]?.isNull == true ? false : try fields.boolean("keep_job", default: false)
        keySecret = try Self.secret("prefect_api_key_secret", fields)
        authorizationSecret = try Self.secret("prefect_api_auth_string_secret", fields)
        timeout = try Self.timeout(rendered["timeout"], version, fields)
        body = rendered["job_body"] ?? .null
        var secrets: OrderedDictionary<String, Secret> = [:]
        var instances: [JSONValue] = []
        if version == .v2 {
            for (name, value) in try fields.object("env_from_secrets")?.objectValue ?? [:] {
                secrets[name] = try Self.secret(value, "env_from_secrets.\(name)")
            }
            if let value = rendered["cloudsql_instances"], !value.isNull {
                instances = try fields.texts("cloudsql_instances").map(JSONValue.string)
            }
        }
        environmentSecrets = secrets
        sqlInstances = instances
        if isComplete {
            switch version {
            case .v1: try CloudRunBody.checkV1(body)
            case .v2: try CloudRunBody.checkV2(body)
            }
        }
    }

    private static func timeout(
        _ value: JSONValue?, _ version: CloudRunVersion, _ fields: RenderedFields
    ) throws(InfrastructureError) -> Int? {
        let limit = version == .v1 ? 3600 : 604_800
        guard let value else { return 600 }
        if value.isNull, version == .v1 { return nil }
        guard let seconds = value.intValue ?? value.stringValue.flatMap({ Int($0) }) else {
            throw fields.mismatch("timeout", "a number of seconds", value)
        }
        guard (1...limit).contains(seconds) else {
            throw InfrastructureError(
                .refused,
                "The job variable 'timeout' is \(seconds), but this type of pool permits 1 to \(limit) seconds; correct it"
            )
        }
        return seconds
    }

    private static func secret(_ field: String, _ fields: RenderedFields) throws(InfrastructureError) -> Secret? {
        guard let value = try fields.object(field) else { return nil }
        return try secret(value, field)
    }

    private static func secret(_ value: JSONValue, _ field: String) throws(InfrastructureError) -> Secret {
        guard let name = value["secret"]?.stringValue, let version = value["version"]?.stringValue,
            !name.isEmpty, !version.isEmpty
        else {
            throw InfrastructureError(
                .refused,
                "The job variable '\(field)' should be an object with the strings 'secret' and 'version'; correct it")
        }
        return Secret(name: name, version: version)
    }

    /// The fields of the configuration that have no effect.
    var ignoredVariables: [String] {
        var known: Set = [
            "command", "env", "labels", "name", "region", "credentials", "prefect_api_key_secret",
            "prefect_api_auth_string_secret", "job_body", "timeout", "keep_job",
        ]
        if version == .v2 { known.formUnion(["env_from_secrets", "cloudsql_instances"]) }
        return (base.rendered.objectValue ?? [:]).keys.filter { !known.contains($0) }
    }
}
