internal import OrderedCollections
internal import PrefectJSON

/// The parts of a job's environment that are kept out of its manifest, as the settings require.
struct SecretPlan: Sendable, Hashable {
    /// The name of the secret that is created for the job.
    let name: String
    private let values: OrderedDictionary<String, JSONValue>

    /// Moves the secret values out of the manifest's environment. Values that existing secrets hold become references
    /// to these secrets. The result is `nil` when no secret has to be created.
    init?(_ manifest: inout JSONValue, settings: KubernetesSettings, jobName: String) {
        guard case .array(var containers)? = manifest["spec"]?["template"]?["spec"]?["containers"],
            var container = containers.first
        else { return nil }
        var env = container["env"]?.arrayValue ?? []
        var made: (name: String, values: OrderedDictionary<String, JSONValue>)?
        if let secret = settings.apiKeySecret {
            Self.refer(&env, "PREFECT_API_KEY", to: secret)
        } else if settings.createsSecretForAPIKey, let key = Self.value(of: "PREFECT_API_KEY", in: env) {
            made = (Self.keyName(jobName), ["value": key])
            Self.refer(&env, "PREFECT_API_KEY", to: .init(name: Self.keyName(jobName), key: "value"))
        }
        if let secret = settings.authStringSecret { Self.refer(&env, "PREFECT_API_AUTH_STRING", to: secret) }
        if settings.storesEnvironmentAsSecret {
            let plain = env.filter { $0["valueFrom"] == nil && $0["value"] != nil && $0["name"]?.stringValue != nil }
            if !plain.isEmpty {
                let name = made?.name ?? Self.environmentName(jobName)
                var values = made?.values ?? [:]
                for entry in plain { values[entry["name"]?.stringValue ?? ""] = entry["value"] }
                made = (name, values)
                env = env.filter { $0["valueFrom"] != nil }
                let others = container["envFrom"]?.arrayValue ?? []
                container["envFrom"] = .array(others + [["secretRef": ["name": .string(name)]]])
            }
        }
        container["env"] = .array(env)
        containers[0] = container
        Self.set(&manifest, ["spec", "template", "spec", "containers"], .array(containers))
        guard let made else { return nil }
        name = made.name
        values = made.values
    }

    private static func keyName(_ jobName: String) -> String { "\(jobName)-api-key" }
    private static func environmentName(_ jobName: String) -> String { "\(jobName)-env" }

    /// The names that the secret of a job may have.
    static func names(ofJob jobName: String, settings: KubernetesSettings) -> [String] {
        var names: [String] = []
        if settings.createsSecretForAPIKey, settings.apiKeySecret == nil { names.append(keyName(jobName)) }
        if settings.storesEnvironmentAsSecret { names.append(environmentName(jobName)) }
        return names
    }

    /// A variable that gives its holder access to the API.
    enum Credential: String, Sendable, CaseIterable {
        case key = "PREFECT_API_KEY"
        case authString = "PREFECT_API_AUTH_STRING"

        /// The warning about a manifest that contains the variable in clear text, and the remedy.
        var warning: String {
            let setting: KubernetesSetting = self == .key ? .apiKeySecretName : .authStringSecretName
            return
                "\(rawValue) is in plain text in the manifests of jobs and pods; put it into a secret named by "
                + "\(setting.variables[0])"
                + (self == .key ? ", or set \(KubernetesSetting.createSecretForAPIKey.variables[0])=true" : "")
        }
    }

    /// The credentials that a manifest contains in clear text.
    static func credentials(inClearIn manifest: JSONValue) -> [Credential] {
        let spec = manifest["spec"]?["template"]?["spec"]
        let containers = (spec?["containers"]?.arrayValue ?? []) + (spec?["initContainers"]?.arrayValue ?? [])
        let env = containers.flatMap { $0["env"]?.arrayValue ?? [] }
        return Credential.allCases.filter { credential in
            env.contains {
                $0["name"]?.stringValue == credential.rawValue && $0["value"]?.stringValue?.isEmpty == false
            }
        }
    }

    private static func value(of name: String, in env: [JSONValue]) -> JSONValue? {
        env.first { $0["name"]?.stringValue == name }?["value"]
    }

    private static func refer(_ env: inout [JSONValue], _ name: String, to secret: KubernetesSettings.SecretKey) {
        let reference: JSONValue = [
            "name": .string(name),
            "valueFrom": ["secretKeyRef": ["name": .string(secret.name), "key": .string(secret.key)]],
        ]
        env = env.map { $0["name"]?.stringValue == name ? reference : $0 }
    }

    private static func set(_ value: inout JSONValue, _ path: ArraySlice<String>, _ new: JSONValue) {
        guard let key = path.first else { return value = new }
        var member = value[key] ?? [:]
        set(&member, path.dropFirst(), new)
        value[key] = member
    }

    /// The secret in the form that the API server accepts.
    func object(namespace: String, flowRunID: String, owner: JobSnapshot? = nil) -> JSONValue {
        var metadata: JSONValue = [
            "name": .string(name), "namespace": .string(namespace),
            "labels": [Labels.managedBy: "prefect", Labels.flowRunID: .string(flowRunID)],
        ]
        if let owner {
            metadata["ownerReferences"] = [
                ["apiVersion": "batch/v1", "kind": "Job", "name": .string(owner.name), "uid": .string(owner.uid)]
            ]
        }
        return ["apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": .object(values)]
    }
}
