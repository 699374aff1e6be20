import BackendKit
import BackendKitTesting
import JobTemplates
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@testable import KubernetesBackend

/// A backend for a fake cluster that a test controls.
struct Workbench: Sendable {
    let api: FakeKubernetesAPI
    let backend: KubernetesBackend
    let reporter = RecordingReporter()
    let output: RecordingSink
    let log: CapturedLog

    func job(
        _ fields: JSONValue = [:], run: String = "run-1", claim: String = "claim-1"
    ) throws -> KubernetesWorkload {
        var rendered: JSONValue = [
            "pod_watch_timeout_seconds": 60,
            "job_manifest": [
                "apiVersion": "batch/v1", "kind": "Job", "metadata": ["generateName": "otter-"],
                "spec": [
                    "backoffLimit": 0,
                    "template": [
                        "spec": [
                            "parallelism": 1, "completions": 1, "restartPolicy": "Never",
                            "containers": [["name": "prefect-job", "image": "i"]],
                        ]
                    ],
                ],
            ],
        ]
        for (key, value) in fields.objectValue ?? [:] { rendered[key] = value }
        let configuration = try KubernetesConfiguration(rendered: rendered).prepared(
            for: PreparationContext(flowRun: ["id": .string(run), "name": "otter"], flow: ["name": "f"]))
        return KubernetesWorkload(
            backend: backend,
            run: RunContext(
                flowRunID: run, flowRunName: "otter", claimID: claim, deploymentID: nil, reporter: reporter),
            configuration: configuration)
    }

    /// The name of the only job that the backend has created.
    var jobName: String { api.names(of: "jobs").first { $0.hasPrefix("otter-") } ?? "" }

    /// Starts a job, waits for its end while `meanwhile` runs, and returns its exit status.
    func follow(
        _ job: KubernetesWorkload, isolation: isolated (any Actor)? = #isolation,
        _ meanwhile: () async throws -> Void
    ) async throws -> BackendKit.ExitStatus {
        let identifier = try await job.start()
        async let status = job.wait(for: identifier)
        try await meanwhile()
        return try await status
    }

    /// Waits until the jobs and pods are watched.
    func waitUntilWatched() async throws {
        try await api.waitUntil("jobs and pods are watched") { $0.openWatches == 2 }
    }
}

/// Calls a body with a backend for a fake cluster. The backend treats a watch or a log as dead after this much silence.
func withWorkbench<Result>(
    environment: [String: String] = [:], stateDirectory: String? = nil, silence: Duration = .seconds(30),
    isolation: isolated (any Actor)? = #isolation, _ body: (Workbench) async throws -> Result
) async throws -> Result {
    try await withFakeKubernetesAPI { api in
        let directory = try TemporaryDirectory()
        let path = try directory.write("config", api.kubeconfig())
        let output = RecordingSink()
        let log = CapturedLog()
        var variables = environment.merging(["KUBECONFIG": path, "PATH": "/usr/bin:/bin"]) { own, _ in own }
        variables["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_CREATE_JOB_RETRY_DELAY_SECONDS"] = "0.01"
        variables["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_CREATE_JOB_RETRY_JITTER_MAX_SECONDS"] = "0"
        var options = KubernetesBackend.Options(
            environment: variables, settings: IntegrationSettings(environment: variables),
            stateDirectory: stateDirectory, output: output,
            logger: log.logger)
        options.serviceAccount = "/nowhere"
        options.orphanGrace = .milliseconds(50)
        // On a busy machine an answer may take seconds.
        options.timing = KubernetesClient.Timing(
            connect: .seconds(30), answer: .seconds(30), watch: .seconds(60), silence: silence)
        let bench = Workbench(
            api: api, backend: KubernetesBackend(options: options), output: output, log: log)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await bench.backend.run() }
            defer { group.cancelAll() }
            let result = try await body(bench)
            withExtendedLifetime(directory) {}
            return result
        }
    }
}

/// The jobs of a pool whose template names a namespace, with deployments that have these job variables.
func poolJobs(
    id: String? = nil, in namespace: String, _ deployments: [JSONValue] = [], fails error: (any Error)? = nil
) throws -> PoolJobs {
    let template = KubernetesBackend.traits.baseJobTemplate
    var variables = template.variables
    variables["properties"]?["namespace"]?["default"] = .string(namespace)
    let found = deployments.enumerated().map { index, variables in
        Deployment(unchecked: ["name": .string("d\(index)"), "job_variables": variables])
    }
    return PoolJobs(
        pool: "p", id: id,
        template: BaseJobTemplate(jobConfiguration: template.jobConfiguration, variables: variables), environment: [:],
        references: NoReferences()
    ) {
        if let error { throw error }
        return found
    }
}
