internal import BackendKit
internal import GoogleAccess
internal import OrderedCollections

extension CloudRunConfiguration {
    /// A job that is ready to be created.
    struct Prepared: Sendable {
        let base: PreparedJobConfiguration
        var body: JSONValue
        var jobName: String
        let runsFlowEngine: Bool
        let warnings: [String]
    }

    /// Completes the configuration for one flow run.
    func prepared(
        for run: RunContext, _ context: PreparationContext
    ) throws(InfrastructureError) -> Prepared {
        let prepared = try InfrastructureError.refusing { try base.prepare(for: context) }
        var body = body
        setEnvironment(&body, prepared.env)
        setLabels(&body, GoogleLabels.plain(prepared.labels))
        if version == .v2 { setVolumes(&body) }
        let container = CloudRunBody.firstContainer(body, version)
        let command = try CommandWords.words(container["command"], of: "command")
        let arguments = try CommandWords.words(container["args"], of: "arguments")
        let usual = BaseJobConfiguration.defaultCommand.split(separator: " ").map { JSONValue.string(String($0)) }
        let image = "docker.io/prefecthq/prefect:\(context.prefectVersion)-python3.11"
        CloudRunBody.changeContainer(&body, version) { container in
            container["command"] = .array(command ?? usual)
            if let arguments { container["args"] = .array(arguments) }
            if container["image"] == nil { container["image"] = .string(image) }
        }
        let jobName: String
        switch version {
        case .v1:
            if let name = body["metadata"]?["name"]?.stringValue {
                jobName = name
            } else {
                jobName = GoogleNames.job(prepared.name, claim: run.claimID, slugLength: 30, digits: 32)
                CloudRunBody.change(&body, ["metadata", "name"]) { $0 = .string(jobName) }
            }
        case .v2:
            jobName = GoogleNames.job(prepared.name, claim: run.claimID, slugLength: 55, digits: 7)
            setTimeout(&body)
            removeUnsetConnector(&body)
        }
        return Prepared(
            base: prepared, body: body, jobName: jobName, runsFlowEngine: command == nil,
            warnings: warnings(prepared.env))
    }

    private static let key = "PREFECT_API_KEY"
    private static let authorization = "PREFECT_API_AUTH_STRING"

    private func isSecret(_ name: String) -> Bool {
        name == Self.key && keySecret != nil || name == Self.authorization && authorizationSecret != nil
            || environmentSecrets[name] != nil && (name == Self.key || name == Self.authorization)
    }

    private func setEnvironment(_ body: inout JSONValue, _ env: OrderedDictionary<String, String>) {
        var entries: [JSONValue] = env.filter { !isSecret($0.key) }.map { name, value in
            ["name": .string(name), "value": .string(value)]
        }
        var secrets = environmentSecrets
        if let keySecret { secrets[Self.key] = keySecret }
        if let authorizationSecret { secrets[Self.authorization] = authorizationSecret }
        for (name, secret) in secrets {
            switch version {
            case .v1:
                let reference: JSONValue = ["name": .string(secret.name), "key": .string(secret.version)]
                entries.append(["name": .string(name), "valueFrom": ["secretKeyRef": reference]])
            case .v2:
                let reference: JSONValue = ["secret": .string(secret.name), "version": .string(secret.version)]
                entries.append(["name": .string(name), "valueSource": ["secretKeyRef": reference]])
            }
        }
        CloudRunBody.changeContainer(&body, version) { container in
            // Version 2 adds to the template's own variables, version 1 replaces them.
            let own = version == .v2 ? container["env"]?.arrayValue ?? [] : []
            container["env"] = .array(own + entries)
        }
    }

    private func setLabels(_ body: inout JSONValue, _ labels: OrderedDictionary<String, String>) {
        let paths =
            version == .v1
            ? [["metadata", "labels"], ["spec", "template", "metadata", "labels"]]
            : [["labels"], ["template", "labels"]]
        for path in paths {
            CloudRunBody.change(&body, path[...]) { value in
                let existing = (value.objectValue ?? [:]).compactMapValues { $0.isNull ? nil : $0.pythonText }
                value = JSONValue(GoogleLabels.merge(labels, into: existing))
            }
        }
    }

    private func setVolumes(_ body: inout JSONValue) {
        guard !sqlInstances.isEmpty else { return }
        CloudRunBody.change(&body, ["template", "template", "volumes"]) { volumes in
            let own: JSONValue = ["name": "cloudsql", "cloudSqlInstance": ["instances": .array(sqlInstances)]]
            volumes = .array((volumes.arrayValue ?? []) + [own])
        }
        CloudRunBody.changeContainer(&body, version) { container in
            let own: JSONValue = ["name": "cloudsql", "mountPath": "/cloudsql"]
            container["volumeMounts"] = .array((container["volumeMounts"]?.arrayValue ?? []) + [own])
        }
    }

    private func setTimeout(_ body: inout JSONValue) {
        guard let timeout else { return }
        CloudRunBody.change(&body, ["template", "template", "timeout"]) { $0 = .string("\(timeout)s") }
    }

    private func removeUnsetConnector(_ body: inout JSONValue) {
        guard let access = body["template"]?["template"]?["vpcAccess"] else { return }
        let members = access.objectValue ?? [:]
        guard members.isEmpty || members.count == 1 && members["connector"]?.isNull == true else { return }
        CloudRunBody.change(&body, ["template", "template"]) { $0["vpcAccess"] = nil }
    }

    private func warnings(_ env: OrderedDictionary<String, String>) -> [String] {
        [(Self.key, "prefect_api_key_secret"), (Self.authorization, "prefect_api_auth_string_secret")]
            .filter { env[$0.0] != nil && !isSecret($0.0) }
            .map { name, variable in
                "\(name) is provided as a plaintext environment variable, which everybody can read who may see the job. "
                    + "Name a secret of Google's Secret Manager in the job variable '\(variable)'"
            }
    }
}
