import BackendKit
import BackendKitTesting
import CloudRunBackend
import Foundation
import JobTemplates
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@Suite("Jobs of Cloud Run", .timeLimit(.minutes(1)))
struct CloudRunTests {
    private static let backends: [any Backend.Type] = [CloudRunBackend.self, CloudRunV2Backend.self]
    private let cloud = FakeCloudRun()

    /// A run of a process of the worker.
    private struct Bench {
        let backend: any Backend
        let host: BackendHost

        func workload(
            _ name: String = "Cool Run", claim: String = "0123456789abcdef0123456789abcdef", variables: JSONValue = [:]
        ) async throws -> any Workload {
            let renderer = JobRenderer(
                template: backend.traits.baseJobTemplate, environment: [:], references: NoReferences())
            return try backend.workload(
                rendered: try await renderer.render(jobVariables: variables),
                for: RunContext(
                    flowRunID: "run", flowRunName: name, claimID: claim, deploymentID: nil, reporter: SilentReporter()),
                preparing: PreparationContext(
                    flowRun: ["id": "run", "name": .string(name)], flow: ["id": "flow", "name": "flow"]))
        }
    }

    private func run(
        _ type: any Backend.Type, patience: String = "3600", _ body: (Bench) async throws -> Void
    ) async throws {
        try await withDirectory { directory in
            let google = try FakeGoogle { [cloud] in cloud.answer($0) }
            defer { google.stop() }
            let path = "\(directory)/key.json"
            try Data(TestAccount.file(tokenURL: "\(google.url)/token").serializedBytes()).write(
                to: URL(filePath: path))
            let host = BackendHost(
                environment: [
                    "GOOGLE_APPLICATION_CREDENTIALS": path, "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN": google.url,
                    "PREFECT_WORKER_CAPACITY_TIMEOUT_SECONDS": patience,
                ], stateDirectory: directory)
            let backend = try type.init(host: host)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await backend.run() }
                try await body(Bench(backend: backend, host: host))
                group.cancelAll()
            }
        }
    }

    @Test("a job is created, run once, watched to its end and deleted", arguments: backends)
    func path(_ type: any Backend.Type) async throws {
        try await run(type) { bench in
            let workload = try await bench.workload()
            let identifier = try await workload.start()
            #expect(cloud.names == [identifier.rawValue] && cloud.executions(of: identifier.rawValue) == 1)
            cloud.end()
            #expect(try await workload.wait(for: identifier) == ExitStatus(code: 0))
            await workload.cleanUp(identifier)
            #expect(cloud.names == [])
        }
    }

    @Test(
        "a lost answer of the creation or of the run repeats neither", arguments: backends,
        ["POST /apis", "POST /v2", ":run"])
    func lostAnswers(_ type: any Backend.Type, _ part: String) async throws {
        cloud.fail(part, hasEffect: true)
        try await run(type) { bench in
            let identifier = try await bench.workload().start()
            #expect(cloud.names == [identifier.rawValue] && cloud.executions(of: identifier.rawValue) == 1)
        }
    }

    @Test("a job that an earlier process created and did not run is continued", arguments: backends)
    func continued(_ type: any Backend.Type) async throws {
        cloud.fail(":run", times: 1, .status(503, ["error": ["message": "away", "status": "UNAVAILABLE"]]))
        try await run(type) { bench in
            let workload = try await bench.workload()
            let started = try await workload.start()
            #expect(cloud.executions(of: started.rawValue) == 1)
            let again = try await bench.workload()
            #expect(try await again.recover(nil) == .present(started))
            #expect(try await again.start() == started && cloud.executions(of: started.rawValue) == 1)
        }
    }

    @Test("the job of another run with the same name is refused with the remedy")
    func foreignConflict() async throws {
        try await run(CloudRunBackend.self) { bench in
            _ = try await bench.workload(variables: ["name": "fixed"]).start()
            let second = try await bench.workload(
                claim: "ffffffffffffffffffffffffffffffff", variables: ["name": "fixed"])
            let error = await #expect(throws: InfrastructureError.self) { _ = try await second.start() }
            #expect(error?.message.contains("belongs to another run") == true)
            let template = try await bench.workload(variables: ["name": "{{ ctx.flow.name }}"])
            let refusal = await #expect(throws: InfrastructureError.self) { _ = try await template.start() }
            #expect(refusal?.message.contains("job variable 'name'") == true)
        }
    }

    @Test("a run without a usable name has a job with an accepted name", arguments: ["???", "1 run", ""])
    func names(_ name: String) async throws {
        try await run(CloudRunV2Backend.self) { bench in
            let identifier = try await bench.workload(name).start()
            #expect(identifier.rawValue.hasPrefix("run-") && identifier.rawValue.hasSuffix("-0123456"))
        }
    }

    @Test("an execution that fails reports the service's own reason, its exit code and the remedy", arguments: backends)
    func failures(_ type: any Backend.Type) async throws {
        try await run(type) { bench in
            let workload = try await bench.workload()
            let identifier = try await workload.start()
            cloud.end(false, "Task x-task0 failed with message: The configured timeout was reached.")
            let status = try await workload.wait(for: identifier)
            #expect(status.code == 7)
            #expect(status.reason?.contains("The configured timeout was reached") == true)
            #expect(status.reason?.contains("'timeout'") == true)
        }
    }

    @Test("many jobs are described by the pages of one list", arguments: backends)
    func pages(_ type: any Backend.Type) async throws {
        cloud.state.withLock { $0.pageSize = 3 }
        try await run(type) { bench in
            var runs: [(any Workload, InfrastructureIdentifier)] = []
            for number in 0..<4 {
                let workload = try await bench.workload(claim: "\(number)" + String(repeating: "0", count: 31))
                runs.append((workload, try await workload.start()))
            }
            cloud.end()
            try await withThrowingTaskGroup(of: Int?.self) { group in
                for (workload, identifier) in runs {
                    group.addTask { try await workload.wait(for: identifier).code }
                }
                for try await code in group { #expect(code == 0) }
            }
        }
    }

    @Test("a used-up quota keeps the run waiting, until the patience ends", arguments: backends)
    func quota(_ type: any Backend.Type) async throws {
        let error: JSONValue = ["error": ["status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded for jobs"]]
        cloud.fail("POST", times: 1000, .status(429, error))
        try await run(type, patience: "0.5") { bench in
            let workload = try await bench.workload()
            let error = await #expect(throws: InfrastructureError.self) { _ = try await workload.start() }
            #expect(error?.message.contains("Quota exceeded for jobs") == true)
            #expect(error?.message.contains("has waited for") == true)
        }
    }

    @Test("a missing permission and an unknown project are refused in one line", arguments: backends)
    func forbidden(_ type: any Backend.Type) async throws {
        let denied: JSONValue = [
            "error": ["status": "PERMISSION_DENIED", "message": "Permission 'run.jobs.create' denied on resource x"]
        ]
        cloud.fail("POST", .status(403, denied))
        cloud.fail("POST", .status(404, ["error": ["status": "NOT_FOUND", "message": "no such project"]]))
        try await run(type) { bench in
            let workload = try await bench.workload()
            let first = await #expect(throws: InfrastructureError.self) { _ = try await workload.start() }
            #expect(first?.message.contains("'run.jobs.create'") == true)
            #expect(first?.message.contains("worker@a-project.iam.gserviceaccount.com") == true)
            let second = await #expect(throws: InfrastructureError.self) { _ = try await workload.start() }
            #expect(second?.message.contains("project 'a-project'") == true)
            #expect(second?.message.contains("region 'us-central1'") == true)
        }
    }

    @Test("a job of another worker is stopped by its identifier alone", arguments: backends)
    func foreignJob(_ type: any Backend.Type) async throws {
        cloud.state.withLock { $0.jobs["made-by-python-0123456"] = .init(body: ["metadata": [:]], executions: 1) }
        try await run(type) { bench in
            let identifier = InfrastructureIdentifier(rawValue: "made-by-python-0123456")
            try await bench.workload().stop(identifier, grace: .zero, reason: .cancelled)
            #expect(cloud.names == [])
        }
    }

    @Test("a job whose creation is cancelled before it is run is deleted", arguments: backends)
    func cancelledCreation(_ type: any Backend.Type) async throws {
        let denied: JSONValue = ["error": ["status": "UNAVAILABLE", "message": "away"]]
        try await run(type) { bench in
            let kept = try await bench.workload()
            let identifier = try await kept.start()
            cloud.fail(":run", times: 100, .status(503, denied))
            let second = try await bench.workload(claim: String(repeating: "f", count: 32))
            let start = Task { try await second.start() }
            try await eventually("both jobs exist") { cloud.names.count == 2 }
            start.cancel()
            _ = try? await start.value
            // This process knows that the creation was cancelled, so a look for the job deletes it.
            #expect(try await second.recover(nil) == .neverStarted)
            #expect(cloud.names == [identifier.rawValue])
        }
    }

    @Test("a job that is stopped is deleted, and a job that does not exist is not found", arguments: backends)
    func stop(_ type: any Backend.Type) async throws {
        try await run(type) { bench in
            let workload = try await bench.workload()
            let identifier = try await workload.start()
            try await workload.stop(identifier, grace: .zero, reason: .cancelled)
            #expect(cloud.names == [])
            let error = await #expect(throws: InfrastructureError.self) {
                try await workload.stop(identifier, grace: .zero, reason: .cancelled)
            }
            #expect(error?.kind == .notFound)
        }
    }
}

/// References of a server without blocks and variables.
struct NoReferences: TemplateReferences {
    func blockDocument(id: String) async throws -> JSONValue { throw ReferenceNotFound() }
    func blockDocument(typeSlug: String, name: String) async throws -> JSONValue { throw ReferenceNotFound() }
    func variable(named name: String) async throws -> JSONValue? { nil }
}
