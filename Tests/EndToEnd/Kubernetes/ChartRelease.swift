import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

/// The objects of a release of a chart, for a bench's namespace, pool, server and image.
///
/// The pods of the tests' cluster may have no network and no token of their account. They get both as in the test of
/// the Kubernetes example; a cluster does the same by itself. In the host's network, the probe has a free port.
/// There the variable `HOSTNAME` has the node's name, so it is set to the pod's, as in a network of the pod's own.
struct ChartRelease {
    private let kube: KubeBench
    private let objects: [JSONValue]
    private let replicas: Int
    private let address: [String]
    private let authority: String
    private let port: PortReservation?

    /// A release of Prefect's chart with a base job template and a number of replicas.
    ///
    /// - Parameter values: A part of the name of the case whose values the release has. Without it, the release has those
    ///   of the first case.
    static func ofPrefect(
        _ kube: KubeBench, _ values: String? = nil, template: JSONValue, replicas: Int = 1
    ) async throws -> ChartRelease {
        let chart = try #require(
            try ChartManifests.all().first { values.map($0.testDescription.contains) ?? true })
        let image = ContainerBench.image("TEST_IMAGE") ?? ""
        let changes = [
            ("prefecthq/prefect:3-python3.11-kubernetes", image.contains(":") ? image : "\(image):latest"),
            ("my-pool", kube.bench.pool), ("http://prefect-server:4200/api", kube.bench.server.url),
            (workspace, kube.bench.server.url), (#","--run-once""#, ""),
            (#""value":"prefect""#, #""value":"\#(kube.namespace)""#),
        ]
        let text = changes.reduce(JSONValue.array(chart.objects).serialized()) { $0.replacing($1.0, with: $1.1) }
        var objects = try JSONValue(parsing: text).arrayValue ?? []
        for index in objects.indices where objects[index]["kind"] == "ConfigMap" {
            objects[index]["data"] = ["baseJobTemplate.json": .string(template.serialized())]
        }
        return try await ChartRelease(kube, objects, replicas: replicas)
    }

    /// The API of the cases with Prefect Cloud.
    private static let workspace =
        "https://api.prefect.cloud/api/accounts/11111111-1111-4111-8111-111111111111/workspaces/22222222-2222-4222-8222-222222222222"

    /// A release of these objects, in the namespace `prefect`, whose one workload has a number of replicas.
    init(_ kube: KubeBench, _ objects: [JSONValue], replicas: Int = 1) async throws {
        self.kube = kube
        self.objects = objects
        self.replicas = replicas
        let cluster = try await KubeBench.cluster()
        address = (cluster["server"]?.stringValue ?? "").replacing("https://", with: "").split(separator: ":")
            .map(String.init)
        authority = try await KubeBench.authority(of: cluster)
        // In the host's network, several replicas cannot share the port of one probe.
        port = replicas == 1 ? try PortReservation() : nil
    }

    private var workloadObject: JSONValue? { objects.first { Self.kinds.contains($0["kind"]?.stringValue ?? "") } }

    /// The kind and the name of the workload.
    var workload: String {
        let (kind, name) = (workloadObject?["kind"]?.stringValue, workloadObject?["metadata"]?["name"]?.stringValue)
        return "\(kind ?? "")/\(name ?? "")"
    }

    /// The labels that select the pods of the workload.
    var selector: String {
        let labels = workloadObject?["spec"]?["selector"]?["matchLabels"]?.objectValue
        return (labels?.map { "\($0.key)=\($0.value.stringValue ?? "")" } ?? []).joined(separator: ",")
    }

    private static let kinds = ["Deployment", "StatefulSet"]

    /// Installs the release while `body` runs. A failure has the log of the workers as its detail.
    func whileInstalled(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void) async throws {
        try await kube.kubectl("apply", input: try manifest().serialized())
        do {
            try await body()
        } catch {
            let log = try? await kube.kubectl(
                "logs", "-l", selector, "--all-containers", "--prefix", "--tail=60")
            let pods = try? await kube.kubectl("describe", "pods", "-l", selector)
            try? await stop()
            throw Explained(error: error, detail: "\(pods ?? "")\n\(log ?? "there is no log")")
        }
        try await stop()
    }

    /// Prevents new pods of the workload while the bench removes them.
    private func stop() async throws {
        try await kube.kubectl("scale", workload, "--replicas=0")
    }

    private func manifest() throws -> JSONValue {
        let text = JSONValue.array(objects).serialized()
            .replacing(#""namespace":"prefect""#, with: #""namespace":"\#(kube.namespace)""#)
        var objects = try JSONValue(parsing: text).arrayValue ?? []
        for index in objects.indices where Self.kinds.contains(objects[index]["kind"]?.stringValue ?? "") {
            objects[index].change(["spec"]) { $0["replicas"] = .int(replicas) }
            objects[index].change(["spec", "template", "spec"]) { $0 = connected($0) }
        }
        objects.append([
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": "authority", "namespace": .string(kube.namespace)],
            "data": ["ca.crt": .string(authority)],
        ])
        return ["apiVersion": "v1", "kind": "List", "items": .array(objects)]
    }

    private func connected(_ pod: JSONValue) -> JSONValue {
        var pod = pod
        pod["hostNetwork"] = true
        let account: JSONValue = [
            "name": "account",
            "projected": [
                "sources": [
                    ["serviceAccountToken": ["path": "token"]], ["configMap": ["name": "authority"]],
                    [
                        "downwardAPI": [
                            "items": [["path": "namespace", "fieldRef": ["fieldPath": "metadata.namespace"]]]
                        ]
                    ],
                ]
            ],
        ]
        pod["volumes"] = .array((pod["volumes"]?.arrayValue ?? []) + [account])
        guard var container = pod["containers"]?[0] else { return pod }
        container["ports"] = .null
        for probe in ["livenessProbe", "readinessProbe"] where container[probe] != nil {
            if let port {
                container.change([probe, "httpGet"]) { $0["port"] = .int(port.port) }
            } else {
                container[probe] = .null
            }
        }
        container["volumeMounts"] = .array(
            (container["volumeMounts"]?.arrayValue ?? [])
                + [["name": "account", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"]])
        container["env"] = .array(
            (container["env"]?.arrayValue ?? []) + [
                ["name": "KUBERNETES_SERVICE_HOST", "value": .string(address.first ?? "")],
                ["name": "KUBERNETES_SERVICE_PORT", "value": .string(address.last ?? "")],
                ["name": "PREFECT_WORKER_WEBSERVER_PORT", "value": .string("\(port?.port ?? 0)")],
                ["name": "HOSTNAME", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]],
            ])
        pod["containers"] = [container]
        return pod
    }
}
