internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// The job configuration of a flow run that runs as a Kubernetes job.
struct KubernetesConfiguration: Sendable {
    /// The command as configured, or the flow engine's.
    var command: String?
    /// The environment: names and values. Where some variables take their values from elsewhere in the cluster, this
    /// is the list in Kubernetes' own form.
    var env: JSONValue
    /// The labels as configured. The manifest has them in the form that Kubernetes accepts.
    var labels: OrderedDictionary<String, String>
    /// The name from which the job's name is made.
    var name: String?
    /// The annotations as configured.
    private(set) var annotations: OrderedDictionary<String, String>
    /// The namespace in which the job is created.
    let namespace: String
    /// The job as the API server gets it, except for its name and its secrets.
    var manifest: JSONValue
    /// The block with the cluster's kubeconfig; `null` for the worker's own cluster.
    let clusterConfiguration: JSONValue
    /// Seconds without an event of the job after which the worker reads the job itself.
    let jobWatchTimeout: Int?
    /// Seconds after which a pod that has not begun causes a warning.
    let podWatchTimeout: Int
    /// Whether the pod's output is copied to the worker's own output.
    let streamsOutput: Bool

    /// Whether the command is the flow engine, rather than one from the job.
    var runsFlowEngine = true

    private(set) var base: BaseJobConfiguration
    /// The variables that take their values from elsewhere in the cluster.
    private(set) var referredVariables: [JSONValue]

    /// Reads a rendered job configuration. Throws `InfrastructureError` of the kind `refused`.
    init(rendered: JSONValue) throws(InfrastructureError) {
        var rendered = rendered
        var referred: [JSONValue] = []
        if case .array(let list)? = rendered["env"] {
            referred = list.filter { $0["valueFrom"] != nil }
            rendered["env"] = Self.variables(of: list)
        }
        base = try InfrastructureError.refusing { try BaseJobConfiguration(rendered: rendered) }
        referredVariables = referred
        command = base.command
        let variables = JSONValue.object(base.env.mapValues { JSONValue($0) })
        env = referred.isEmpty ? variables : .array(Self.list(of: variables) + referred)
        labels = base.labels
        name = base.name
        let fields = RenderedFields(rendered)
        annotations = try fields.annotations()
        namespace = try fields.text("namespace", expected: "a name").flatMap { $0.isEmpty ? nil : $0 } ?? "default"
        clusterConfiguration = try fields.object("cluster_config") ?? .null
        jobWatchTimeout = try fields.seconds("job_watch_timeout_seconds", in: rendered)
        podWatchTimeout = try fields.seconds("pod_watch_timeout_seconds", in: rendered) ?? 60
        streamsOutput = try fields.boolean("stream_output", default: true)
        // A substitute for a configuration that cannot be rendered any more has no manifest. Its job is never started.
        manifest = try Self.manifest(rendered["job_manifest"] ?? Self.emptyManifest, namespace: namespace)
    }

    /// A rendered configuration with the fields that all backends have. The environment keeps its form.
    static func common(_ rendered: JSONValue) throws -> JSONValue {
        guard case .array(let list)? = rendered["env"] else { return try BaseJobConfiguration(rendered: rendered).json }
        var converted = rendered
        converted["env"] = variables(of: list)
        var json = try BaseJobConfiguration(rendered: converted).json
        json["env"] = .array(list)
        return json
    }

    private static func manifest(
        _ manifest: JSONValue, namespace: String
    ) throws(InfrastructureError) -> JSONValue {
        let fields = RenderedFields(manifest)
        guard case .object = manifest else { throw fields.mismatch("job_manifest", "an object", manifest) }
        var manifest = manifest
        var metadata = manifest["metadata"] ?? [:]
        guard case .object = metadata else { throw fields.mismatch("job_manifest.metadata", "an object", metadata) }
        metadata["annotations"] = metadata["annotations"] ?? [:]
        metadata["labels"] = metadata["labels"] ?? [:]
        metadata["namespace"] = metadata["namespace"] ?? .string(namespace)
        manifest["metadata"] = metadata
        try ManifestCheck.validate(manifest)
        return manifest
    }

    /// The configuration without what only the start of the run needs.
    var afterStart: Self {
        var result = self
        result.base = .empty
        result.env = [:]
        result.referredVariables = []
        result.labels = [:]
        result.annotations = [:]
        result.manifest = Self.emptyManifest
        return result
    }

    private static let emptyManifest: JSONValue = [
        "apiVersion": "batch/v1", "kind": "Job",
        "spec": [
            "template": [
                "spec": [
                    "parallelism": 1, "completions": 1, "restartPolicy": "Never",
                    "containers": [["name": "prefect-job"]],
                ]
            ]
        ],
    ]

    var json: JSONValue {
        [
            "command": JSONValue(command), "env": env, "labels": JSONValue(labels), "name": JSONValue(name),
            "annotations": JSONValue(annotations), "namespace": .string(namespace), "job_manifest": manifest,
            "cluster_config": clusterConfiguration,
            "job_watch_timeout_seconds": jobWatchTimeout.map { .int($0) } ?? .null,
            "pod_watch_timeout_seconds": .int(podWatchTimeout), "stream_output": .bool(streamsOutput),
        ]
    }
}

// MARK: - Environments in both forms

extension KubernetesConfiguration {
    /// The variables of a list that have a literal value.
    static func variables(of list: [JSONValue]) -> JSONValue {
        var variables: OrderedDictionary<String, JSONValue> = [:]
        for entry in list {
            guard let name = entry["name"]?.stringValue, let value = entry["value"] else { continue }
            variables[name] = value
        }
        return .object(variables)
    }

    /// The variables as a list in Kubernetes' form.
    static func list(of variables: JSONValue) -> [JSONValue] {
        (variables.objectValue ?? [:]).map { ["name": .string($0.key), "value": $0.value] }
    }
}

// MARK: - Fields

extension RenderedFields {
    fileprivate func annotations() throws(InfrastructureError) -> OrderedDictionary<String, String> {
        var annotations: OrderedDictionary<String, String> = [:]
        for (key, value) in try object("annotations")?.objectValue ?? [:] {
            guard let text = value.stringValue else { throw mismatch("annotations.\(key)", "a string", value) }
            annotations[key] = text
        }
        return annotations
    }

    fileprivate func seconds(_ field: String, in rendered: JSONValue) throws(InfrastructureError) -> Int? {
        guard let value = rendered[field], !value.isNull else { return nil }
        let seconds = value.intValue ?? value.stringValue.flatMap { Int($0) }
        guard let seconds, (0...31_536_000).contains(seconds) else {
            throw mismatch(field, "a number of seconds", value)
        }
        return seconds
    }
}
