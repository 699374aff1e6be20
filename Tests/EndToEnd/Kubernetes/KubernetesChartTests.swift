import Foundation
import PrefectJSON
import TestSupport
import Testing

@Suite(
    "Prefect's Helm chart with this worker's image", .requires(.prefectServer, .kubernetes),
    .image("TEST_IMAGE", madeBy: "image"), .oneOnCluster, .bounded)
struct KubernetesChartTests {
    @Test("with only the image changed, the worker becomes healthy and runs a flow, and a restart updates the template")
    func release() async throws {
        try await withKubeBench { kube in
            let bench = kube.bench
            var template = try #require(try await bench.server.pool(bench.pool)["base_job_template"])
            template.change(["variables", "properties", "finished_job_ttl"]) { $0["default"] = 600 }
            try await bench.server.deletePool(bench.pool)
            let chart = try #require(try ChartManifests.all().first)
            let release = try await Release(kube, template: template)
            try await kube.kubectl("apply", input: release.objects(of: chart).serialized())
            do {
                try await kube.kubectl("rollout", "status", "deployment/prefect-worker", "--timeout=100s")
                try await waitForTemplate(template, kube)
                // The same request as that of the chart's probe, which waits ten seconds before it.
                try await kube.kubectl("exec", "deployment/prefect-worker", "--", "prefect-worker", "healthcheck")
                let run = try await bench.server.createRun(
                    deployment: bench.deploy("succeed"), parameters: ["word": "swordfish"])
                let done = try await bench.server.waitForRun(
                    run, toBe: ["Completed", "Failed", "Crashed"], within: .seconds(120))
                #expect(done["state_name"] == "Completed", "\(done)")
                let pods = try await kube.objects("pods").filter { $0["spec"]?["initContainers"] != nil }
                let status = pods.first?["status"]?["containerStatuses"]?[0]
                #expect(status?["ready"] == true && status?["restartCount"] == 0, "\(String(describing: status))")

                let other = #"{"base_job_template": {"job_configuration": {"a": 1}, "variables": {"type": "object"}}}"#
                try await bench.server.call("PATCH", "/work_pools/\(bench.pool)", try JSONValue(parsing: other))
                // The next pod's init container updates the pool, whatever the worker then does.
                try await kube.kubectl(
                    "delete", "pods", "-l", "app.kubernetes.io/component=worker", "--force", "--grace-period=0")
                try await waitForTemplate(template, kube)
            } catch {
                let log = try? await kube.kubectl("logs", "deployment/prefect-worker", "--all-containers", "--tail=60")
                let pods = try? await kube.kubectl("describe", "pods")
                try? await stop(kube)
                throw Explained(error: error, detail: "\(pods ?? "")\n\(log ?? "there is no log")")
            }
            try await stop(kube)
        }
    }

    /// Prevents new pods of the deployment while the bench removes them.
    private func stop(_ kube: KubeBench) async throws {
        try await kube.kubectl("scale", "deployment/prefect-worker", "--replicas=0")
    }

    /// Waits until the pool has the template of the release.
    private func waitForTemplate(_ template: JSONValue, _ kube: KubeBench) async throws {
        try await eventually(within: .seconds(60), "the pool has the chart's template", every: .milliseconds(300)) {
            (try? await kube.server.pool(kube.bench.pool)["base_job_template"]) == template
        }
    }
}

/// The objects of a release of the chart, for a bench's namespace, pool, server and image.
///
/// The pods of the tests' cluster may have no network and no token of their account. They get both as in the test of
/// the Kubernetes example; a cluster does the same by itself. In the host's network, the probe has a free port.
private struct Release {
    let kube: KubeBench
    let template: JSONValue
    let address: [String]
    let authority: String
    let port: PortReservation

    init(_ kube: KubeBench, template: JSONValue) async throws {
        self.kube = kube
        self.template = template
        let cluster = try await KubeBench.cluster()
        address = (cluster["server"]?.stringValue ?? "").replacing("https://", with: "").split(separator: ":")
            .map(String.init)
        authority = try await KubeBench.authority(of: cluster)
        port = try PortReservation()
    }

    func objects(of chart: ChartManifests) throws -> JSONValue {
        let image = ContainerBench.image("TEST_IMAGE") ?? ""
        let changes = [
            ("prefecthq/prefect:3-python3.11-kubernetes", image.contains(":") ? image : "\(image):latest"),
            ("my-pool", kube.bench.pool), ("http://prefect-server:4200/api", kube.bench.server.url),
            (#""namespace":"prefect""#, #""namespace":"\#(kube.namespace)""#),
            (#""value":"prefect""#, #""value":"\#(kube.namespace)""#),
        ]
        let text = changes.reduce(JSONValue.array(chart.objects).serialized()) { $0.replacing($1.0, with: $1.1) }
        var objects = try JSONValue(parsing: text).arrayValue ?? []
        for index in objects.indices {
            if objects[index]["kind"] == "ConfigMap" {
                objects[index]["data"] = ["baseJobTemplate.json": .string(template.serialized())]
            }
            guard objects[index]["kind"] == "Deployment" else { continue }
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
        container.change(["livenessProbe", "httpGet"]) { $0["port"] = .int(port.port) }
        container["volumeMounts"] = .array(
            (container["volumeMounts"]?.arrayValue ?? [])
                + [["name": "account", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"]])
        container["env"] = .array(
            (container["env"]?.arrayValue ?? []) + [
                ["name": "KUBERNETES_SERVICE_HOST", "value": .string(address.first ?? "")],
                ["name": "KUBERNETES_SERVICE_PORT", "value": .string(address.last ?? "")],
                ["name": "PREFECT_WORKER_WEBSERVER_PORT", "value": .string("\(port.port)")],
            ])
        pod["containers"] = [container]
        return pod
    }
}
