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
            let release = try await ChartRelease.ofPrefect(kube, template: template)
            try await release.whileInstalled {
                try await kube.kubectl("rollout", "status", release.workload, "--timeout=300s")
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
                    "delete", "pods", "-l", release.selector, "--force", "--grace-period=0")
                try await waitForTemplate(template, kube)
            }
        }
    }

    @Test("with autoSecret, a job gets the API key from a secret of its own, which is deleted after the run")
    func autoSecret() async throws {
        try await withKubeBench { kube in
            let key = "pnu_\(TestBench.unique())"
            try await kube.kubectl("create", "secret", "generic", "prefect-api-key", "--from-literal=key=\(key)")
            let directory = kube.bench.directory
            let run = try await kube.server.createRun(
                deployment: kube.deploy(
                    shell:
                        "printf %s \"$PREFECT_API_KEY\" >\(directory)/key; until test -e \(directory)/end; do sleep 0.2; done; exit 6"
                ))
            let template = try #require(try await kube.server.pool(kube.bench.pool)["base_job_template"])
            let release = try await ChartRelease.ofPrefect(kube, "autoSecret", template: template)
            try await release.whileInstalled {
                let job = try await kube.job(of: run)
                let manifest = try JSONValue(parsing: await kube.kubectl("get", "job", job, "-o", "json"))
                let variables = manifest["spec"]?["template"]?["spec"]?["containers"]?[0]?["env"]?.arrayValue ?? []
                let variable = variables.first { $0["name"] == "PREFECT_API_KEY" }
                let secret = try #require(variable?["valueFrom"]?["secretKeyRef"]?["name"]?.stringValue)
                #expect(secret != "prefect-api-key" && !manifest.serialized().contains(key))
                try await eventually(within: .seconds(60), "the pod has the key", every: .milliseconds(300)) {
                    kube.bench.notes("key") == [key]
                }
                try kube.bench.write("end", "")
                let crash = try await kube.server.waitForRun(run, toBe: ["Crashed"], within: .seconds(60))
                #expect(crash["state"]?["message"]?.stringValue?.contains("status code 6") == true, "\(crash)")
                try await eventually(within: .seconds(30), "the secret is deleted", every: .milliseconds(300)) {
                    try await kube.objects("secrets").allSatisfy { $0["metadata"]?["name"]?.stringValue != secret }
                }
            }
        }
    }

    /// Waits until the pool has the template of the release.
    private func waitForTemplate(_ template: JSONValue, _ kube: KubeBench) async throws {
        try await eventually(within: .seconds(60), "the pool has the chart's template", every: .milliseconds(300)) {
            (try? await kube.server.pool(kube.bench.pool)["base_job_template"]) == template
        }
    }
}
