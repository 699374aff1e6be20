import BackendKit
import Foundation
import JobTemplates
import OrderedCollections
import PrefectJSON
import Synchronization
import Testing
import VertexAIBackend

@Suite("Custom jobs of Vertex AI", .timeLimit(.minutes(1)))
struct VertexAITests {
    private final class Cloud: Sendable {
        let jobs = Mutex<[JSONValue]>([])
        /// The number of creations whose answers are lost.
        let lost = Mutex(0)

        func answer(_ request: FakeGoogle.Request) -> FakeGoogle.Answer {
            if request.path.hasSuffix("/token") { return .json(["access_token": "t", "expires_in": 3600]) }
            return jobs.withLock { jobs in
                let parent = "projects/1/locations/us-central1/customJobs"
                if request.method == "POST", request.path.hasSuffix("/customJobs") {
                    var job = request.json
                    job["name"] = .string("\(parent)/\(jobs.count + 1)")
                    job["state"] = "JOB_STATE_RUNNING"
                    jobs.append(job)
                    let isLost = lost.withLock { lost in
                        defer { lost = max(0, lost - 1) }
                        return lost > 0
                    }
                    return isLost ? .broken : .json(job)
                }
                if request.path.hasSuffix("/customJobs") { return .json(["customJobs": .array(jobs)]) }
                let name = request.path.replacing("/v1/", with: "").replacing(":cancel", with: "")
                guard let index = jobs.firstIndex(where: { $0["name"]?.stringValue == name }) else {
                    return .status(404, ["error": ["status": "NOT_FOUND", "message": "CustomJob does not exist"]])
                }
                if request.path.hasSuffix(":cancel") {
                    jobs[index]["state"] = "JOB_STATE_CANCELLED"
                    jobs[index]["error"] = ["code": 1, "message": "CANCELED"]
                    return .json([:])
                }
                return .json(jobs[index])
            }
        }

        func end(_ state: String, _ message: String = "") {
            jobs.withLock { jobs in
                for index in jobs.indices {
                    jobs[index]["state"] = .string("JOB_STATE_\(state)")
                    if !message.isEmpty { jobs[index]["error"] = ["code": 3, "message": .string(message)] }
                }
            }
        }
    }

    private let cloud = Cloud()

    private func run(
        credentials: JSONValue? = nil, _ body: (any Backend) async throws -> Void
    ) async throws {
        try await withDirectory { directory in
            let google = try FakeGoogle { [cloud] in cloud.answer($0) }
            defer { google.stop() }
            let path = "\(directory)/key.json"
            let key = credentials ?? TestAccount.file(tokenURL: "\(google.url)/token")
            try Data(key.serializedBytes()).write(to: URL(filePath: path))
            let backend = try VertexAIBackend(
                host: BackendHost(
                    environment: [
                        "GOOGLE_APPLICATION_CREDENTIALS": path, "GOOGLE_CLOUD_PROJECT": "a-project",
                        "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": google.url,
                    ], stateDirectory: directory))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await backend.run() }
                try await body(backend)
                group.cancelAll()
            }
        }
    }

    private func workload(
        _ backend: any Backend, _ variables: JSONValue = [:], change: (inout JSONValue) -> Void = { _ in }
    ) async throws -> any Workload {
        var job: JSONValue = ["region": "us-central1", "image": "gcr.io/p/i:1"]
        for (key, value) in variables.objectValue ?? [:] { job[key] = value }
        var rendered = try await JobRenderer(
            template: backend.traits.baseJobTemplate, environment: [:], references: NoReferences()
        ).render(jobVariables: job)
        change(&rendered)
        return try backend.workload(
            rendered: rendered,
            for: RunContext(
                flowRunID: "run", flowRunName: "Cool Run", claimID: "0123456789abcdef0123456789abcdef",
                deploymentID: nil, reporter: SilentReporter()),
            preparing: PreparationContext(flowRun: ["id": "run", "name": "Cool Run"], flow: ["id": "f", "name": "f"]))
    }

    @Test("a lost answer of the creation does not make a second job")
    func lostAnswer() async throws {
        cloud.lost.withLock { $0 = 1 }
        try await run { backend in
            let workload = try await workload(backend)
            let identifier = try await workload.start()
            #expect(identifier.rawValue == "projects/1/locations/us-central1/customJobs/1")
            #expect(cloud.jobs.withLock { $0.count } == 1)
            #expect(try await workload.recover(nil) == .present(identifier))
        }
    }

    @Test("a job that fails reports the service's message and the exit code in it")
    func failure() async throws {
        try await run { backend in
            let workload = try await workload(backend)
            let identifier = try await workload.start()
            cloud.end("FAILED", "The replica workerpool0-0 exited with a non-zero status of 7.")
            let status = try await workload.wait(for: identifier)
            #expect(status.code == 7 && status.reason?.contains("workerpool0-0") == true)
        }
    }

    @Test("a job without enough memory reports the signal as an exit code, and names the job variable")
    func starvation() async throws {
        try await run { backend in
            let workload = try await workload(backend)
            let identifier = try await workload.start()
            cloud.end(
                "FAILED",
                "The replica workerpool0-0 ran out-of-memory and exited with a non-zero status of 9(SIGKILL)")
            let status = try await workload.wait(for: identifier)
            #expect(status.code == 137)
            #expect(status.reason?.contains("(SIGKILL). Choose a greater machine") == true)
        }
    }

    @Test("a job that is stopped is cancelled, and stays in the history")
    func stop() async throws {
        try await run { backend in
            let workload = try await workload(backend)
            let identifier = try await workload.start()
            try await workload.stop(identifier, grace: .zero, reason: .cancelled)
            await workload.cleanUp(identifier)
            #expect(cloud.jobs.withLock { $0.map { $0["state"] } } == ["JOB_STATE_CANCELLED"])
        }
    }

    @Test("all fields of the job are passed on, and an unknown one is refused by its name")
    func fields() async throws {
        try await run { backend in
            let workload = try await workload(backend, ["scheduling": ["disable_retries": true]]) { rendered in
                rendered["job_spec"]?["persistent_resource_id"] = "pool-1"
                rendered["job_spec"]?["base_output_directory"] = ["output_uri_prefix": "gs://b/x"]
            }
            _ = try await workload.start()
            let spec = cloud.jobs.withLock { $0.first?["jobSpec"] ?? .null }
            #expect(spec["persistentResourceId"] == "pool-1")
            #expect(spec["baseOutputDirectory"] == ["outputUriPrefix": "gs://b/x"])
            #expect(spec["scheduling"]?["disableRetries"] == true && spec["scheduling"]?["timeout"] == "3600s")
            let error = await #expect(throws: InfrastructureError.self) {
                _ = try await self.workload(backend) { $0["job_spec"]?["persistant_resource"] = "x" }
            }
            #expect(error?.message.contains("'job_spec.persistant_resource'") == true)
        }
    }

    @Test("a user's credentials need the job variable that names a service account")
    func serviceAccount() async throws {
        let user: JSONValue = [
            "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
        ]
        try await run(credentials: user) { backend in
            let error = await #expect(throws: InfrastructureError.self) { _ = try await self.workload(backend) }
            #expect(error?.message.contains("'service_account_name'") == true)
            _ = try await workload(backend, ["service_account_name": "sa@p.iam.gserviceaccount.com"])
        }
    }
}
