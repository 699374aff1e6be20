import BackendKit
import JobTemplates
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@testable import WorkerKit

@Suite("The worker's own settings")
struct WorkerSettingsTests {
    private static let own = [
        "PREFECT_HOME", "PREFECT_PROFILES_PATH", "PREFECT_WORKER_QUERY_SECONDS", "PREFECT_WORKER_WEBSERVER_PORT",
    ]
    private static let shared = ["PREFECT_API_URL", "PREFECT_LOGGING_LEVEL", "PREFECT_RESULTS_PERSIST_BY_DEFAULT"]

    /// The names of the settings that a job receives.
    private func settingsOfJob() async throws -> [String] {
        let source = try RenderSource(offline: [
            "work_pool": ["id": "p", "name": "p", "type": "process", "base_job_template": [:]],
            "flow": ["id": "f", "name": "f"], "flow_run": ["id": "r", "name": "r", "flow_id": "f"],
        ])
        let backend = FakeBackend()
        _ = try await JobPreparation(
            backend: backend, environment: [:], settingsEnvironment: (Self.own + Self.shared).map { ($0, "x") },
            references: source.references
        ).workload(
            source.subject,
            for: RunContext(
                flowRunID: "r", flowRunName: "r", claimID: "c", deploymentID: nil, reporter: SilentReporter()))
        return try #require(backend.contexts.first).settingsEnvironment.map(\.name)
    }

    @Test("a job that runs elsewhere receives all settings except the worker's own")
    func elsewhere() async throws {
        #expect(try await settingsOfJob() == Self.shared)
    }

    @Test("a job that inherits the worker's environment also receives the worker's own settings")
    func inherited() async throws {
        let given = try await FakeBackend.$inheritsEnvironment.withValue(true) { try await settingsOfJob() }
        #expect(given == Self.own + Self.shared)
    }
}
