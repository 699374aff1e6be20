import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

@Suite("The manifests of Prefect's Helm chart", .bounded)
struct ChartTests {
    /// Variables of the chart that have no effect here, as the documentation says.
    static let withoutEffect: Set = ["HOME", "PREFECT_KUBERNETES_CLUSTER_UID"]

    @Test("every argument of the worker is understood: the worker serves the pool", arguments: try ChartManifests.all())
    func arguments(chart: ChartManifests) async throws {
        try await withFakePrefectAPI { api in
            try await withTemporaryDirectory { directory in
                // A cluster is not needed to read the arguments, so the pool's type is one that works everywhere.
                let type = try #require(chart.arguments.firstIndex(of: "--type"))
                var arguments = chart.arguments
                arguments[type + 1] = "process"
                if arguments.contains("--base-job-template") {
                    let template = FakePrefectAPI.processTemplate.serialized()
                    try Data(template.utf8).write(to: URL(filePath: "\(directory)/baseJobTemplate.json"))
                }
                let environment = WorkerProgram.environment(home: directory, chart.variables).merging([
                    "HOME": directory, "PREFECT_API_URL": api.url, "PREFECT_WORKER_PYTHON": "none",
                    "PREFECT_WORKER_WEBSERVER_PORT": "0",
                ]) { $1 }
                let outcome = try await WorkerProgram.runAsPrefect(
                    arguments + (arguments.contains("--run-once") ? [] : ["--run-once"]), environment: environment,
                    in: directory)
                #expect(outcome.status == .exited(0), "\(outcome.text)")
                #expect(!outcome.text.contains("from-a-secret"))
                let pool = try #require(api.pool("my-pool"))
                #expect(
                    arguments.contains("--base-job-template")
                        == (pool.baseJobTemplate == FakePrefectAPI.processTemplate))
                let polls = api.requests("POST", "/work_pools/my-pool/get_scheduled_flow_runs")
                let queues = zip(arguments, arguments.dropFirst()).filter { $0.0 == "--work-queue" }.map(\.1)
                #expect(polls.first?.body["work_queue_names"]?.arrayValue?.compactMap(\.stringValue) ?? [] == queues)
            }
        }
    }

    @Test("every environment variable of the worker is a setting that it reads", arguments: try ChartManifests.all())
    func variables(chart: ChartManifests) async throws {
        try await withTemporaryDirectory { directory in
            let outcome = try await WorkerProgram.run(
                ["settings"],
                environment: WorkerProgram.environment(home: directory, chart.variables).merging(["HOME": directory]) {
                    $1
                },
                in: directory)
            #expect(outcome.status == .exited(0) && !outcome.text.contains("Warning"), "\(outcome.text)")
            for name in chart.variables.keys where !Self.withoutEffect.contains(name) {
                let line = outcome.output.firstIndex { $0 == name || $0.hasPrefix("\(name) ") }
                let rest = outcome.output[(line ?? outcome.output.endIndex)...].dropFirst().prefix(2)
                #expect(rest.contains { $0.hasSuffix("set in the environment") }, "\(name): \(rest)")
            }
            #expect(!outcome.text.contains("from-a-secret"))
        }
    }

    @Test("the chart's table names the variables without effect and the values of every case")
    func table() throws {
        let text = try Documentation.text("examples/kubernetes/README.md")
        for value in [
            "worker.image.repository", "worker.image.prefectTag", "worker.autoscaling", "dnsPolicy", "dnsConfig",
            "pullSecrets", "jobNamespace", "observerClusterWide", "jobApiKeyPropagation",
            "customerManagedCloudApiConfig",
            "basicAuth.existingSecret", "podDisruptionBudget", "priorityClassName", "revisionHistoryLimit",
            "commonLabels", "commonAnnotations", "containerSecurityContext", "extraContainers", "extraVolumes",
            "extraEnvVars", "extraArgs", "clusterUid", "livenessProbe", "baseJobTemplate",
        ] { #expect(text.contains(value), "\(value)") }
        for value in ["uiUrl", "readinessProbe", "ClusterRole"] { #expect(!text.contains(value), "\(value)") }
    }
}
