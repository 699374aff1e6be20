internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

// Turning the rendered configuration into the job of one flow run. Each step sees the results of the steps before it.
extension KubernetesConfiguration {
    /// Completes the configuration for one flow run.
    func prepared(for context: PreparationContext) throws(InfrastructureError) -> Self {
        var context = context
        context.backendLabels = Self.labels(for: context)
        let prepared = try InfrastructureError.refusing { try base.prepare(for: context) }
        var result = self
        result.command = prepared.command
        result.labels = prepared.labels
        result.name = prepared.name
        let variables = JSONValue(prepared.env)
        result.env = referredVariables.isEmpty ? variables : .array(Self.list(of: variables) + referredVariables)
        var manifest = JobManifest(manifest)
        result.env = Self.withTerminationBehavior(result.env, givesRunBack: manifest.isNeverRetried)
        manifest.setEnvironment(Self.list(in: result.env))
        manifest.setLabels(labels: prepared.labels, annotations: annotations)
        manifest.setImage(default: "prefecthq/prefect:\(context.prefectVersion)-python3.11")
        result.runsFlowEngine = try manifest.setArguments(default: BaseJobConfiguration.defaultCommand)
        try manifest.setNamePrefix(after: prepared.name)
        manifest.labelPods(labels: prepared.labels)
        result.manifest = manifest.json
        return result
    }

    private static func labels(for context: PreparationContext) -> PreparationContext.BackendLabels {
        let name = "app.kubernetes.io/name"
        let version = Slug.kubernetesLabelValue(String(context.prefectVersion.prefix { $0 != "+" }))
        func named(_ object: JSONValue?) -> OrderedDictionary<String, String> {
            object?["name"]?.stringValue.map { [name: Slug.kubernetesLabelValue($0)] } ?? [:]
        }
        return PreparationContext.BackendLabels(
            flowRun: [
                Labels.managedBy: "prefect", "app.kubernetes.io/part-of": "prefect",
                "app.kubernetes.io/version": version,
            ],
            flow: named(context.flow), deployment: named(context.deployment))
    }

    private static func list(in env: JSONValue) -> [JSONValue] { env.arrayValue ?? list(of: env) }

    /// Sets how a flow treats its run when its pod is asked to end. Where Kubernetes retries a failed job, the flow
    /// relinquishes the run to the retry. Otherwise it gives the run back, unless the user has configured something
    /// else.
    private static func withTerminationBehavior(_ env: JSONValue, givesRunBack: Bool) -> JSONValue {
        let variable = "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"
        var env = env
        guard case .array(let list) = env else {
            let isSet = env[variable]?.stringValue?.isEmpty == false
            if !givesRunBack || !isSet { env[variable] = .string(givesRunBack ? "reschedule" : "relinquish") }
            return env
        }
        let others = list.filter { $0["name"]?.stringValue != variable }
        if givesRunBack, others.count < list.count { return env }
        return .array(
            others + [["name": .string(variable), "value": .string(givesRunBack ? "reschedule" : "relinquish")]])
    }
}
