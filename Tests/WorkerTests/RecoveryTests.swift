import BackendKit
import PrefectClient
import PrefectJSON
import TestSupport
import Testing
import WorkerKit

@Suite("Recovery of runs", .serialized)
struct RecoveryTests {
    /// Provides a fake API with a pool, a backend and a state directory that outlive the workers.
    private func withRestarts(
        _ body: (FakePrefectAPI, FakeDeployment, FakeBackend, String) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        try await withPool { api, deployment in
            try await body(api, deployment, FakeBackend(), directory.path)
        }
    }

    /// Runs a worker until `body` returns, and then cancels the worker without a shutdown.
    private func die<Result: Sendable>(
        _ api: FakePrefectAPI, _ backend: FakeBackend, in directory: String,
        _ body: (WorkerUnderTest) async throws -> Result
    ) async throws -> Result {
        try await withWorker(api, backend: backend, stateDirectory: directory, body)
    }

    /// Runs a worker until a run is in flight, and then cancels the worker.
    private func runAndDie(
        _ run: String, _ api: FakePrefectAPI, _ backend: FakeBackend, in directory: String
    ) async throws {
        try await die(api, backend, in: directory) { _ in
            try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
        }
    }

    /// Runs a worker until it holds no run of an earlier process any more.
    private func recover(_ api: FakePrefectAPI, _ backend: FakeBackend, in directory: String) async throws {
        try await die(api, backend, in: directory) { try await waitForRecovery($0) }
    }

    private func waitForRecovery(_ subject: WorkerUnderTest) async throws {
        // The worker holds the runs of an earlier process before its first poll.
        try await eventually("the worker has polled") { subject.worker.state.hasPolled }
        try await subject.waitUntilIdle()
    }

    @Test("a run that still runs is watched again, and started once")
    func stillRunning() async throws {
        try await withRestarts { api, deployment, backend, directory in
            let run = api.scheduleRun(deployment: deployment)
            try await runAndDie(run, api, backend, in: directory)
            api.setState(of: run, to: .running)
            try await die(api, backend, in: directory) { subject in
                try await eventually("the run is adopted") { backend.calls.contains(.adopt(run)) }
                try await eventually("the run is watched again") {
                    backend.calls.filter { $0 == .wait(run) }.count == 2
                }
                #expect(subject.worker.registry.contains(run))
                backend.finish(run, ExitStatus(code: 3))
                try await subject.waitUntilIdle()
            }
            #expect(backend.started == [run])
            #expect(api.run(run)?.stateType == .crashed)
            #expect(api.run(run)?.state?.message?.contains("status code 3") == true)
            #expect(backend.calls.contains(.cleanUp(run)))
            #expect(try RunLedger.entries(inDirectory: directory).isEmpty)
        }
    }

    @Test(
        "the API's state decides about a run that ended while no worker was running",
        arguments: [FakeState.Kind.completed, .running])
    func endedMeanwhile(state: FakeState.Kind) async throws {
        try await withRestarts { api, deployment, backend, directory in
            let run = api.scheduleRun(deployment: deployment)
            try await runAndDie(run, api, backend, in: directory)
            api.setState(of: run, to: state)
            backend.finish(run, ExitStatus(code: nil))
            try await recover(api, backend, in: directory)
            #expect(backend.started == [run])
            #expect(backend.calls.contains(.cleanUp(run)))
            #expect(try RunLedger.entries(inDirectory: directory).isEmpty)
            if state == .completed {
                #expect(api.run(run)?.stateType == .completed)
            } else {
                #expect(api.run(run)?.stateType == .crashed)
                #expect(api.run(run)?.state?.message?.contains("while no worker was watching it") == true)
            }
        }
    }

    @Test("a run that was claimed before its worker died is started by the next process")
    func claimedOnly() async throws {
        try await withRestarts { api, deployment, backend, directory in
            let run = api.scheduleRun(deployment: deployment)
            let gate = Gate()
            let script = api.script(method: "GET", path: "/deployments/*", times: 1, answer: .hold(gate))
            try await die(api, backend, in: directory) { _ in
                try await eventually("the deployment is read") { script.uses == 1 }
                // The worker reads it already while it claims the run.
                try await api.waitUntil("the run is claimed") { $0.run(run)?.stateType == .pending }
            }
            gate.open()
            #expect(backend.started.isEmpty)
            try await die(api, backend, in: directory) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                #expect(subject.log.contains("had been claimed and not started"))
            }
            #expect(backend.started == [run])
        }
    }

    @Test("a run that is too large to be read is ended by the next process", arguments: [true, false])
    func unreadable(isClaimed: Bool) async throws {
        try await withRestarts { api, deployment, backend, directory in
            let large = BoundsTests.Excess.depth.value
            let run = api.scheduleRun(deployment: deployment, jobVariables: ["value": large])
            let path = "/flow_runs/\(run)/set_state"
            let claim = api.script(
                method: "POST", path: path, times: 1, answer: isClaimed ? .applyThen(.hang) : .hang)
            try await die(api, backend, in: directory) { _ in
                try await eventually("the run is being claimed") { claim.uses == 1 }
            }
            #expect(api.stateHistory(of: run) == ["Scheduled"] + (isClaimed ? ["Pending"] : []))
            try await recover(api, backend, in: directory)
            #expect(api.stateHistory(of: run) == ["Scheduled", "Pending", "Crashed"])
            #expect(try RunLedger.entries(inDirectory: directory).isEmpty)
        }
    }

    @Test("a run whose claim never arrived is claimed by the next process")
    func claimNotMade() async throws {
        try await withRestarts { api, deployment, backend, directory in
            let run = api.scheduleRun(deployment: deployment)
            let claim = api.script(method: "POST", path: "/flow_runs/\(run)/set_state", times: 1, answer: .hang)
            try await die(api, backend, in: directory) { _ in
                try await eventually("the run is being claimed") { claim.uses == 1 }
            }
            #expect(api.stateHistory(of: run) == ["Scheduled"])
            try await die(api, backend, in: directory) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                #expect(subject.log.contains("was about to be claimed: claiming it"))
            }
            #expect(backend.started == [run])
            let claims = api.requests("POST", "/flow_runs/\(run)/set_state").map(\.body).filter {
                $0["state"]?["name"] == "Pending"
            }
            // Both claims use the same transition, in case the first one arrives late.
            #expect(Set(claims.map { $0["state"]?["state_details"]?["transition_id"] }).count == 1)
        }
    }

    @Test("a worker recognizes the mark that its earlier process put on a contested run")
    func ownMark() async throws {
        try await withRestarts { api, deployment, backend, directory in
            try await announceAnotherWorker(api)
            let run = api.scheduleRun(deployment: deployment)
            let mark = api.script(method: "POST", path: "/flow_runs/\(run)/input", times: 1, answer: .applyThen(.hang))
            try await die(api, backend, in: directory) { _ in
                try await eventually("the worker leaves its mark") { mark.uses == 1 }
            }
            try await runAndDie(run, api, backend, in: directory)
            #expect(backend.started == [run])
        }
    }

    @Test("a run that another worker has claimed meanwhile is not started")
    func anothersNow() async throws {
        try await withRestarts { api, deployment, backend, directory in
            let run = api.scheduleRun(deployment: deployment)
            let gate = Gate()
            let script = api.script(method: "GET", path: "/deployments/*", times: 1, answer: .hold(gate))
            try await die(api, backend, in: directory) { _ in
                try await eventually("the deployment is read") { script.uses == 1 }
                // The worker reads it already while it claims the run.
                try await api.waitUntil("the run is claimed") { $0.run(run)?.stateType == .pending }
            }
            gate.open()
            api.setState(of: run, to: .scheduled)
            api.setState(of: run, to: .pending)
            try await recover(api, backend, in: directory)
            #expect(backend.started.isEmpty)
            #expect(api.run(run)?.stateType == .pending)
            #expect(try RunLedger.entries(inDirectory: directory).isEmpty)
        }
    }

    @Test(
        "a worker that died during the start of a run finds out whether the run has started", arguments: [false, true])
    func whileStarting(hadStarted: Bool) async throws {
        try await withRestarts { api, deployment, backend, directory in
            let run = api.scheduleRun(deployment: deployment)
            let reached = Gate()
            backend.script { script in
                script.beforeStart = { _ in
                    reached.open()
                    try await Task.sleep(for: .seconds(600))
                }
            }
            try await die(api, backend, in: directory) { _ in await reached.wait() }
            backend.script { $0.beforeStart = { _ in } }
            let identifier = InfrastructureIdentifier(rawValue: "fake:\(run)")
            if hadStarted { backend.script { $0.remains = { _ in .ended(identifier) } } }
            try await die(api, backend, in: directory) { subject in
                if hadStarted {
                    try await waitForRecovery(subject)
                } else {
                    try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                }
            }
            #expect(backend.calls.contains(.remains(run)))
            // The first start never finished.
            #expect(backend.started == (hadStarted ? [run] : [run, run]))
            #expect(api.run(run)?.stateType == (hadStarted ? .crashed : .pending))
        }
    }

    @Test("a crash whose report the API did not accept is reported by the next worker")
    func untoldCrash() async throws {
        try await withRestarts { api, deployment, backend, directory in
            let run = api.scheduleRun(deployment: deployment)
            let outage = try await die(api, backend, in: directory) { _ in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                api.setState(of: run, to: .running)
                let script = api.script(path: "/flow_runs/*", answer: .status(503))
                backend.finish(run, ExitStatus(code: 77, lastOutput: "no top-secret left"))
                // Earlier requests may be those that record the infrastructure.
                try await api.waitUntil("the crash is being reported") { state in
                    state.requests("POST", "/flow_runs/\(run)/set_state").contains {
                        $0.body["state"]?["type"] == "CRASHED"
                    }
                }
                return script
            }
            #expect(try RunLedger.entries(inDirectory: directory).map(\.stage) == [.exited])
            // The output of a flow is stored without secrets as well.
            #expect(try RunLedger.entries(inDirectory: directory).first?.exit?.lastOutput == "no ******** left")
            outage.end()
            try await recover(api, backend, in: directory)
            #expect(api.run(run)?.stateType == .crashed)
            #expect(api.run(run)?.state?.message?.contains("status code 77") == true)
            #expect(try RunLedger.entries(inDirectory: directory).isEmpty)
        }
    }

    @Test("runs that may outlive the worker are adopted by the next worker and are not stopped")
    func detached() async throws {
        try await withRestarts { api, deployment, backend, directory in
            let runs = api.scheduleRuns(3, deployment: deployment)
            try await withWorker(
                api, backend: backend, stateDirectory: directory, serve: { $0.leavesRunsOnExit = true }
            ) { subject in
                try await api.waitUntil("all runs have started") { state in
                    runs.allSatisfy { state.run($0)?.infrastructurePID != nil }
                }
                subject.shutdown.escalate()
                try await subject.waitForEnd()
            }
            #expect(try RunLedger.entries(inDirectory: directory).map(\.stage) == [.running, .running, .running])
            try await die(api, backend, in: directory) { subject in
                try await eventually("the worker holds all runs") {
                    runs.allSatisfy { subject.worker.registry.contains($0) }
                }
                for run in runs {
                    api.setState(of: run, to: .completed)
                    backend.finish(run, .reported("COMPLETED"))
                }
                try await subject.waitUntilIdle()
            }
            #expect(backend.started.sorted() == runs.sorted())
            #expect(!backend.calls.contains { if case .stop = $0 { true } else { false } })
            for run in runs { #expect(api.run(run)?.stateType == .completed) }
        }
    }

    @Test("a run that was cancelled while no worker was running is stopped and ends as Cancelled")
    func cancelledMeanwhile() async throws {
        try await withRestarts { api, deployment, backend, directory in
            let run = api.scheduleRun(deployment: deployment)
            try await runAndDie(run, api, backend, in: directory)
            api.setState(of: run, to: .running)
            api.setState(of: run, to: .cancelling)
            try await recover(api, backend, in: directory)
            #expect(backend.calls.contains(.stop(run, grace: .seconds(5), .cancelled)))
            #expect(api.run(run)?.stateType == .cancelled)
        }
    }

    @Test("recovered runs count against the limit and are held before the first poll")
    func limit() async throws {
        try await withRestarts { api, deployment, backend, directory in
            let runs = api.scheduleRuns(2, deployment: deployment)
            try await die(api, backend, in: directory) { _ in
                try await api.waitUntil("both runs have started") { state in
                    runs.allSatisfy { state.run($0)?.infrastructurePID != nil }
                }
            }
            for run in runs { api.setState(of: run, to: .running) }
            let next = api.scheduleRun(deployment: deployment)
            try await withWorker(api, backend: backend, stateDirectory: directory, serve: { $0.limit = 1 }) { subject in
                try await eventually("the worker holds both runs") { subject.worker.registry.count == 2 }
                backend.finish(runs[0], .reported("COMPLETED"))
                try await eventually("the worker holds one run") { subject.worker.registry.count == 1 }
                #expect(api.stateHistory(of: next) == ["Scheduled"])
                backend.finish(runs[1], .reported("COMPLETED"))
                try await api.waitUntil("the next run has started") { $0.run(next)?.infrastructurePID != nil }
            }
        }
    }

    @Test("infrastructure that is unavailable at the start of the worker is looked up until it is available")
    func unavailable() async throws {
        try await withRestarts { api, deployment, backend, directory in
            let run = api.scheduleRun(deployment: deployment)
            try await runAndDie(run, api, backend, in: directory)
            backend.script { $0.remainsErrors = [InfrastructureError(.unavailable, "the engine is away")] }
            try await die(api, backend, in: directory) { subject in
                try await eventually("the run is watched again") {
                    backend.calls.filter { $0 == .wait(run) }.count == 2
                }
                #expect(subject.log.contains("cannot be looked up yet, trying again: the engine is away"))
            }
            #expect(api.run(run)?.stateType == .pending)
        }
    }

    @Test(
        "a run whose infrastructure is out of reach stays in the ledger, unless the run has ended",
        arguments: [false, true])
    func outOfReach(hasEnded: Bool) async throws {
        try await withRestarts { api, deployment, backend, directory in
            let run = api.scheduleRun(deployment: deployment)
            try await runAndDie(run, api, backend, in: directory)
            if hasEnded { api.setState(of: run, to: .completed) }
            backend.script { $0.remains = { _ in .outOfReach } }
            try await recover(api, backend, in: directory)
            #expect(api.run(run)?.stateType == (hasEnded ? .completed : .pending))
            #expect(try RunLedger.entries(inDirectory: directory).count == (hasEnded ? 0 : 1))
        }
    }

    @Test("a run whose configuration cannot be prepared again is still watched to its end")
    func withoutItsConfiguration() async throws {
        try await withRestarts { api, deployment, backend, directory in
            let run = api.scheduleRun(deployment: deployment)
            try await runAndDie(run, api, backend, in: directory)
            api.setState(of: run, to: .running)
            api.script(method: "GET", path: "/deployments/*", answer: .status(404))
            try await die(api, backend, in: directory) { subject in
                try await eventually("the run is watched again") {
                    backend.calls.filter { $0 == .wait(run) }.count == 2
                }
                backend.finish(run, ExitStatus(code: 1))
                try await subject.waitUntilIdle()
                #expect(subject.log.contains("its job configuration cannot be rebuilt"))
            }
            #expect(api.run(run)?.stateType == .crashed)
        }
    }
}
