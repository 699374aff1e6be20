import BackendKit
import Logging
import PrefectClient
import PrefectJSON
import TestSupport
import Testing
import WorkerKit

@Suite("Cancelling a flow run", .serialized)
struct CancellationTests {
    private func hooks(_ backend: FakeBackend) -> [FakeBackend.Call] {
        backend.calls.filter { if case .hooks = $0 { true } else { false } }
    }

    private func running(_ api: FakePrefectAPI, _ run: String) async throws {
        try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
        api.setState(of: run, to: .running)
    }

    @Test("a cancelled run is stopped with its grace period, its hooks run once, and it ends as Cancelled")
    func whileRunning() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let other = api.scheduleRun(deployment: deployment)
            try await withWorker(api) { subject in
                try await running(api, run)
                try await running(api, other)
                api.setState(of: run, to: .cancelling)
                try await api.waitUntil("the run is cancelled") { $0.run(run)?.stateType == .cancelled }
                try await eventually("the worker no longer holds the run") { !subject.worker.registry.contains(run) }
                #expect(hooks(subject.backend) == [.hooks(.cancellation, stateType: "CANCELLING", run)])
                let stops = subject.backend.calls.filter { if case .stop = $0 { true } else { false } }
                #expect(stops == [.stop(run, grace: .seconds(5), .cancelled)])
                #expect(subject.backend.calls.contains(.cleanUp(run)))
                #expect(subject.worker.registry.contains(other))
                #expect(api.run(other)?.stateType == .running)
            }
        }
    }

    @Test("a run that its own flow has set to Cancelled is not changed")
    func flowDoesIt() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend { $0.statusOfStopped = .reported("CANCELLED", code: 0) }
            try await withWorker(api, backend: backend) { subject in
                try await running(api, run)
                api.setState(of: run, to: .cancelling)
                try await subject.waitUntilIdle()
                #expect(hooks(backend).isEmpty)
                let proposals = api.requests("POST", "/flow_runs/\(run)/set_state").map { $0.body["state"]?["type"] }
                #expect(proposals == ["PENDING", "PENDING"])
            }
        }
    }

    /// Cancels a run that enters another state while it is being stopped.
    private func cancel(
        whileItSays state: FakeState.Kind, _ meanwhile: (FakeBackend, String) -> Void = { _, _ in },
        _ check: (FakePrefectAPI, FakeBackend, String) -> Void
    ) async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let stopping = Gate()
            let backend = FakeBackend { $0.holdStopped = stopping }
            try await withWorker(api, backend: backend) { subject in
                try await running(api, run)
                api.setState(of: run, to: .cancelling)
                try await eventually("the run is being stopped") {
                    backend.calls.contains(.stop(run, grace: .seconds(5), .cancelled))
                }
                api.setState(of: run, to: state)
                meanwhile(backend, run)
                stopping.open()
                try await subject.waitUntilIdle()
                check(api, backend, run)
            }
        }
    }

    @Test("a cancelled flow that sets Crashed when it is stopped ends as Cancelled and runs its cancellation hooks")
    func saysCrashed() async throws {
        try await cancel(whileItSays: .crashed) { api, backend, run in
            #expect(api.run(run)?.stateType == .cancelled)
            #expect(hooks(backend) == [.hooks(.cancellation, stateType: "CANCELLING", run)])
        }
    }

    @Test("a run that completed before it could be stopped stays completed")
    func completedFirst() async throws {
        try await cancel(whileItSays: .completed, { $0.finish($1, ExitStatus(code: 0)) }) { api, backend, run in
            #expect(api.run(run)?.stateType == .completed)
            #expect(hooks(backend).isEmpty)
        }
    }

    @Test("a run that is cancelled before it is started is never started", arguments: ["claimed", "submitting"])
    func beforeStart(moment: String) async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            // The worker reads the deployment while it claims the run, and needs it before it proposes Submitting.
            let gate = Gate()
            if moment == "claimed" {
                api.script(method: "GET", path: "/deployments/*", times: 1, answer: .hold(gate))
            } else {
                gate.open()
                api.onRequest { request in
                    if request.body["state"]?["name"] == "Submitting" { api.setState(of: run, to: .cancelling) }
                    return nil
                }
            }
            try await withWorker(api) { subject in
                if moment == "claimed" {
                    try await api.waitUntil("the run is claimed") { $0.run(run)?.stateType == .pending }
                    api.setState(of: run, to: .cancelling)
                    gate.open()
                }
                try await api.waitUntil("the run is cancelled") { $0.run(run)?.stateType == .cancelled }
                try await subject.waitUntilIdle()
                #expect(subject.backend.started.isEmpty)
            }
        }
    }

    @Test(
        "a run cancelled while its infrastructure is created ends as Cancelled and has its infrastructure cleaned up",
        arguments: [false, true])
    func whileStarting(hasBeenCreated: Bool) async throws {
        try await withPool { api, deployment in
            let started = Gate()
            let backend = FakeBackend { script in
                script.beforeStart = { _ in
                    started.open()
                    try await Task.sleep(for: .seconds(600))
                }
                // This backend does not see the end of that infrastructure, but it sees that it existed.
                let found = RecoveredInfrastructure.present(InfrastructureIdentifier(rawValue: "fake:late"))
                script.remains = { _ in hasBeenCreated ? found : nil }
            }
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api, backend: backend) { subject in
                try await eventually("the infrastructure is being created") { started.isOpen }
                api.setState(of: run, to: .cancelling)
                try await api.waitUntil("the run is cancelled") { $0.run(run)?.stateType == .cancelled }
                try await subject.waitUntilIdle()
                let stops = backend.calls.filter { if case .stop = $0 { true } else { false } }
                #expect(stops.count <= (hasBeenCreated ? 1 : 0))
                #expect(backend.calls.contains(.cleanUp(run)) == hasBeenCreated)
            }
        }
    }

    @Test("a run that has started elsewhere since its claim is not started again")
    func runsElsewhere() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            api.onRequest { request in
                if request.body["state"]?["name"] == "Submitting" { api.setState(of: run, to: .running) }
                return nil
            }
            try await withWorker(api) { subject in
                try await eventually("the worker drops the run") { subject.log.contains("was not started") }
                #expect(subject.backend.started.isEmpty)
                #expect(api.run(run)?.stateType == .running)
            }
        }
    }

    static let ends: [(String, BackendKit.ExitStatus)] = [
        ("a crash", ExitStatus(code: 1)), ("a silent end", ExitStatus(code: 0)),
        ("an abort by the API", ExitStatus(code: 0, conclusion: .abortedByAPI)),
    ]

    @Test("a run that ends while it is being cancelled does not stay in Cancelling", arguments: ends.indices)
    func endedMeanwhile(index: Int) async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            // The worker does not look for cancellations before the run has ended.
            try await withWorker(api, serve: { $0.cancellationPollInterval = .seconds(600) }) { subject in
                try await running(api, run)
                api.setState(of: run, to: .cancelling)
                subject.backend.finish(run, Self.ends[index].1)
                try await api.waitUntil("the run is cancelled") { $0.run(run)?.stateType == .cancelled }
                try await subject.waitUntilIdle()
                #expect(hooks(subject.backend) == [.hooks(.cancellation, stateType: "CANCELLING", run)])
            }
        }
    }

    @Test("a run that the API did not allow to begin keeps its state")
    func abortedByAPI() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api) { subject in
                try await running(api, run)
                subject.backend.finish(run, ExitStatus(code: 0, conclusion: .abortedByAPI))
                try await subject.waitUntilIdle()
                #expect(api.run(run)?.stateType == .running)
            }
        }
    }

    @Test("a stop that fails temporarily is retried")
    func stopFails() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let away = InfrastructureError(.unavailable, "the engine is away")
            let backend = FakeBackend { $0.stopErrors = [away, away] }
            try await withWorker(api, backend: backend) { subject in
                try await running(api, run)
                api.setState(of: run, to: .cancelling)
                try await api.waitUntil("the run is cancelled") { $0.run(run)?.stateType == .cancelled }
                try await subject.waitUntilIdle()
            }
        }
    }

    @Test("infrastructure that no longer exists when it is to be stopped causes no error")
    func stopFindsNothing() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let backend = FakeBackend { $0.stopErrors = [InfrastructureError(.notFound, "no such process")] }
            try await withWorker(api, backend: backend) { subject in
                try await running(api, run)
                api.setState(of: run, to: .cancelling)
                try await eventually("the stop is requested") {
                    backend.calls.contains(.stop(run, grace: .seconds(5), .cancelled))
                }
                backend.finish(run, ExitStatus(code: -9))
                try await api.waitUntil("the run is cancelled") { $0.run(run)?.stateType == .cancelled }
                try await subject.waitUntilIdle()
                #expect(subject.log.messages(.error).isEmpty)
            }
        }
    }

    @Test("a worker that holds no run looks up no cancellations")
    func noRuns() async throws {
        try await withPool { api, _ in
            try await withWorker(api) { _ in
                try await api.waitUntil("the worker has polled several times") {
                    $0.requests("POST", "*/get_scheduled_flow_runs").count >= 5
                }
                #expect(api.requests("POST", "/flow_runs/filter").isEmpty)
            }
        }
    }
}
