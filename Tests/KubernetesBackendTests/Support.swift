import JSON
import JobTemplates
import OrderedCollections
import PrefectAPI
import Synchronization
import TestSupport
import Testing
import Worker

@testable import KubernetesBackend

/// A reporter that keeps what it is told.
final class RecordingReporter: JobReporter {
    struct Emitted: Sendable {
        let name: String
        let id: String
        let resource: JSONValue
    }

    private struct State {
        var lines: [String] = []
        var events: [Emitted] = []
        var pending = 0
    }

    private let state = Mutex(State())

    func log(_ level: RunLogLevel, _ message: String) { state.withLock { $0.lines.append(message) } }

    func emit(event: String, resource: JSONValue, payload: JSONValue) {}

    func emit(event: String, resource: JSONValue, payload: JSONValue, id: String, occurred: Timestamp?) {
        state.withLock { $0.events.append(Emitted(name: event, id: id, resource: resource)) }
    }

    func reportPending(_ message: String) async -> Bool {
        state.withLock { $0.pending += 1 }
        return true
    }

    var lines: [String] { state.withLock { $0.lines } }
    var events: [Emitted] { state.withLock { $0.events } }
    var pendingReports: Int { state.withLock { $0.pending } }
}

/// A sink that keeps what it is given.
final class RecordingSink: OutputSink {
    private let bytes = Mutex<[UInt8]>([])

    func write(_ new: ArraySlice<UInt8>, of source: OutputSource, waitingUpTo limit: Duration) -> Int? {
        bytes.withLock { $0 += new }
        return new.count
    }

    var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }
}

/// What a backend says to its operator.
final class Notices: Sendable {
    private let kept = Mutex<[String]>([])

    func add(_ line: String) { kept.withLock { $0.append(line) } }
    var lines: [String] { kept.withLock { $0 } }
}

/// A backend for a cluster that a test has in hand.
struct Workbench: Sendable {
    let api: FakeKubernetesAPI
    let backend: KubernetesBackend
    let reporter = RecordingReporter()
    let output: RecordingSink
    let notices: Notices

    func job(
        _ fields: JSONValue = [:], run: String = "run-1", claim: String = "claim-1"
    ) throws -> Job<KubernetesConfiguration> {
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
        return Job(
            flowRunID: run, flowRunName: "otter", claimID: claim, deploymentID: nil, configuration: configuration,
            reporter: reporter)
    }

    /// The name of the only job that the backend has made.
    var jobName: String { api.names(of: "jobs").first { $0.hasPrefix("otter-") } ?? "" }

    /// Starts a job and follows it while something happens; returns how it ended.
    func follow(
        _ job: Job<KubernetesConfiguration>, isolation: isolated (any Actor)? = #isolation,
        _ meanwhile: () async throws -> Void
    ) async throws -> Worker.ExitStatus {
        let identifier = try await backend.start(job)
        async let status = backend.wait(for: identifier, job: job)
        try await meanwhile()
        return try await status
    }

    /// Waits until the jobs and pods are watched.
    func waitUntilWatched() async throws {
        try await api.waitUntil("both are watched") { $0.openWatches == 2 }
    }
}

/// Runs something with a backend for a fake cluster.
func withWorkbench<Result>(
    environment: [String: String] = [:], isolation: isolated (any Actor)? = #isolation,
    _ body: (Workbench) async throws -> Result
) async throws -> Result {
    try await withFakeKubernetesAPI { api in
        let folder = try TemporaryFolder()
        let path = try folder.write("config", api.kubeconfig())
        let output = RecordingSink()
        let notices = Notices()
        var variables = environment.merging(["KUBECONFIG": path, "PATH": "/usr/bin:/bin"]) { own, _ in own }
        variables["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_CREATE_JOB_RETRY_DELAY_SECONDS"] = "0.01"
        variables["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_CREATE_JOB_RETRY_JITTER_MAX_SECONDS"] = "0"
        var options = KubernetesBackend.Options(
            environment: variables, settings: IntegrationSettings(environment: variables), output: output,
            notice: { notices.add($0) })
        options.serviceAccount = "/nowhere"
        options.courtesy = .milliseconds(50)
        options.timing = KubernetesClient.Timing(
            connect: .seconds(2), answer: .seconds(2), watch: .seconds(60), silence: .seconds(1))
        let bench = Workbench(
            api: api, backend: KubernetesBackend(options: options), output: output, notices: notices)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await bench.backend.run() }
            defer { group.cancelAll() }
            let result = try await body(bench)
            withExtendedLifetime(folder) {}
            return result
        }
    }
}
