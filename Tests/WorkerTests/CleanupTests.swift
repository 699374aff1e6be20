import BackendKit
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@testable import WorkerKit

@Suite("Cleaning up after runs that the API has ended")
struct CleanupTests {
    /// Cleans up after a run, with a worker that serves the pool and does not hold the run.
    private func clean(
        _ run: String, pid: JSONValue, backend: FakeBackend, _ api: FakePrefectAPI
    ) async throws -> CleanupVerdict {
        try await withWorker(api, backend: backend, serve: { $0.pollInterval = .seconds(3600) }) { subject in
            try await eventually("the worker knows the pool") { subject.worker.state.pool != nil }
            let cleanup = RunCleanup(runs: subject.worker.runs)
            return try await cleanup.clean(Self.message(run, pid: pid))
        }
    }

    private static func message(_ run: String, pid: JSONValue) throws -> CleanupMessage {
        try CleanupMessage(
            json: JSONFields([
                "message_id": "df900454-9e0b-50c8-bf8b-5ca06f6ac4a7", "reservation_token": "token",
                "lease_expires_at": "2026-11-21T07:22:15.109271Z", "delivery_count": 1, "work_queue_id": nil,
                "data": [:], "kind": "cancelling_timeout_teardown.v1",
                "target": ["flow_run_id": .string(run), "infrastructure_pid": pid],
            ]))
    }

    /// A run that another worker has started and the API has ended.
    private func ended(_ api: FakePrefectAPI, _ deployment: FakeDeployment) -> String {
        let run = api.scheduleRun(deployment: deployment)
        api.setState(of: run, to: .cancelled)
        return run
    }

    @Test("infrastructure that another worker has started is stopped by its identifier")
    func stops() async throws {
        try await withPool { api, deployment in
            let run = ended(api, deployment)
            let backend = FakeBackend()
            let verdict = try await clean(run, pid: "fake:elsewhere", backend: backend, api)
            #expect(verdict == .done)
            #expect(backend.calls == [.stop(run, grace: .seconds(5), .cancelled), .cleanUp(run)])
        }
    }

    @Test(
        "a cleanup is released when the infrastructure cannot be stopped now, and done when it no longer exists",
        arguments: [
            (InfrastructureError.Kind.notFound, CleanupVerdict.done),
            (.unavailable, .release(reason: "infrastructure_not_available")),
            (.notReachable, .release(reason: "infrastructure_not_available")),
        ])
    func failures(kind: InfrastructureError.Kind, verdict: CleanupVerdict) async throws {
        try await withPool { api, deployment in
            let backend = FakeBackend { $0.stopErrors = [InfrastructureError(kind, "so it is")] }
            let found = try await clean(ended(api, deployment), pid: "fake:x", backend: backend, api)
            #expect(found == verdict)
        }
    }

    @Test("a run that never had infrastructure and a deleted run need no cleanup")
    func nothing() async throws {
        try await withPool { api, deployment in
            let backend = FakeBackend()
            let first = try await clean(ended(api, deployment), pid: nil, backend: backend, api)
            #expect(first == .done)
            let missing = "a22c0e26-e02b-49a1-9e39-d04d3aae4e7c"
            let second = try await clean(missing, pid: "fake:x", backend: backend, api)
            #expect(second == .done)
            #expect(backend.calls.isEmpty)
        }
    }

    @Test("a cleanup is released when the run's deployment no longer exists, because its configuration is unknown")
    func noDeployment() async throws {
        try await withPool { api, deployment in
            let run = ended(api, deployment)
            api.script(path: "/deployments/*", answer: .status(404))
            let verdict = try await clean(run, pid: "fake:x", backend: FakeBackend(), api)
            #expect(verdict == .release(reason: "configuration_context_unavailable"))
        }
    }

    @Test("a cleanup of a run that this worker watches stops the run in the ordinary way")
    func active() async throws {
        try await withPool { api, deployment in
            try await withWorker(api) { subject in
                let run = api.scheduleRun(deployment: deployment)
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                api.setState(of: run, to: .cancelled)
                let cleanup = RunCleanup(runs: subject.worker.runs)
                let verdict = try await cleanup.clean(Self.message(run, pid: "fake:x"))
                #expect(verdict == .done)
                #expect(!subject.worker.registry.contains(run))
                #expect(subject.backend.calls.contains(.stop(run, grace: .seconds(5), .cancelled)))
            }
        }
    }
}
