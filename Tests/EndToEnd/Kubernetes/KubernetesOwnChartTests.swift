import PrefectJSON
import TestSupport
import Testing

@Suite(
    "The chart for several pools in a cluster", .requires(.prefectServer, .kubernetes), .toolsPython,
    .image("TEST_IMAGE", madeBy: "image"), .oneOnCluster, .bounded)
struct KubernetesOwnChartTests {
    @Test("an installed worker becomes ready and runs flows of its pool with the chart's own rights, also after a kill")
    func release() async throws {
        try await withKubeBench { kube in
            let image = (ContainerBench.image("TEST_IMAGE") ?? "").split(separator: ":").map(String.init)
            let values: JSONValue = [
                "apiURL": .string(kube.server.url), "pools": [kube.bench.pool: ["type": "kubernetes", "limit": 2]],
                "image": [
                    "repository": .string(image.first ?? ""), "tag": .string(image.dropFirst().first ?? "latest"),
                ],
            ]
            let release = try await ChartRelease(kube, try await OwnChart.render(values).objects)
            let deployment = try await kube.bench.deploy("succeed")
            func complete() async throws {
                // The pod is ready only when the worker has read its pool and the cluster answers.
                try await kube.kubectl("rollout", "status", release.workload, "--timeout=300s")
                let run = try await kube.server.createRun(deployment: deployment, parameters: ["word": "swordfish"])
                let done = try await kube.server.waitForRun(
                    run, toBe: ["Completed", "Failed", "Crashed"], within: .seconds(120))
                #expect(done["state_name"] == "Completed", "\(done)")
                let worker = try await kube.server.flowRun(run)["labels"]?["prefect.worker.name"]
                #expect(worker == "my-worker-0", "\(String(describing: worker))")
            }
            try await release.whileInstalled {
                try await complete()
                try await kube.kubectl("delete", "pod", "my-worker-0", "--force", "--grace-period=0")
                try await complete()
            }
        }
    }
}
