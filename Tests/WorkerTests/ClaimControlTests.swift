import BackendKit
import PrefectClient
import PrefectJSON
import TestSupport
import Testing
import WorkerKit
import WorkerMetrics

@Suite("Pause, resume and drain", .serialized)
struct ClaimControlTests {
    /// Schedules a run and waits until its infrastructure exists.
    private func startRun(_ api: FakePrefectAPI, _ deployment: FakeDeployment) async throws -> String {
        let run = api.scheduleRun(deployment: deployment)
        try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
        return run
    }

    /// Waits until the worker has sent two more heartbeats.
    private func waitForHeartbeats(_ api: FakePrefectAPI) async throws {
        let beats = api.pool("p")?.workers.first?.heartbeats ?? 0
        try await api.waitUntil("more heartbeats have arrived") {
            ($0.pool("p")?.workers.first?.heartbeats ?? 0) >= beats + 2
        }
    }

    @Test("a paused worker takes no run, sends heartbeats, is healthy, and takes waiting runs at once when resumed")
    func pause() async throws {
        let registry = PrometheusRegistry()
        try await withPool { api, deployment in
            try await withWorker(api, metrics: registry) { subject in
                let first = try await startRun(api, deployment)
                let paused = subject.services.claiming.enter(.paused)
                #expect(paused)
                let waiting = api.scheduleRun(deployment: deployment)
                try await waitForHeartbeats(api)
                #expect(api.stateHistory(of: waiting) == ["Scheduled"])
                #expect(subject.daemon.isAlive && subject.daemon.reasonNotReady == nil)
                #expect(subject.daemon.status == "paused, 1 flow run in flight")
                #expect(subject.daemon.report["claiming"] == "paused")
                subject.daemon.updateMeters()
                #expect(registry.render().contains("\nprefect_worker_paused 1\n"))

                // A run in flight is still cancelled, and its end is reported.
                api.setState(of: first, to: .cancelling)
                try await subject.waitUntilIdle()
                #expect(api.run(first)?.stateType == .cancelled)

                let resumed = subject.services.claiming.enter(.active)
                #expect(resumed)
                try await api.waitUntil("the run has started") { $0.run(waiting)?.infrastructurePID != nil }
                #expect(subject.daemon.report["claiming"] == "active")
                subject.daemon.updateMeters()
                #expect(registry.render().contains("\nprefect_worker_paused 0\n"))
            }
        }
    }

    @Test("runs in the answer to a poll are not taken when the worker was paused meanwhile")
    func pauseDuringPoll() async throws {
        try await withPool { api, deployment in
            let answers = Gate()
            let poll = api.script(path: "*/get_scheduled_flow_runs", answer: .hold(answers))
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api) { subject in
                try await eventually("the worker polls") { poll.uses == 1 }
                _ = subject.services.claiming.enter(.paused)
                answers.open()
                try await eventually("the poll was answered") { subject.worker.state.hasPolled }
                try await waitForHeartbeats(api)
                #expect(api.stateHistory(of: run) == ["Scheduled"])
                #expect(subject.worker.registry.count == 0)
            }
        }
    }

    @Test("a worker that polls once waits while it is paused")
    func pauseOfOnePoll() async throws {
        try await withPool { api, deployment in
            let answers = Gate()
            let read = api.script(method: "GET", path: "/work_pools/p", answer: .hold(answers))
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(
                api, backend: FakeBackend { $0.immediateEnd = { _ in .reported("COMPLETED") } },
                serve: { $0.runsOnce = true }
            ) { subject in
                try await eventually("the worker reads the pool") { read.uses > 0 }
                _ = subject.services.claiming.enter(.paused)
                answers.open()
                try await waitForHeartbeats(api)
                #expect(api.stateHistory(of: run) == ["Scheduled"])
                _ = subject.services.claiming.enter(.active)
                try await subject.waitForEnd()
                #expect(subject.backend.startCount == 1)
            }
        }
    }

    @Test("a drained worker waits for all of its runs, without its usual time limit, and ends after the last one")
    func drain() async throws {
        try await withPool { api, deployment in
            // A shutdown would hand these runs over at once, and would stop others after this time.
            try await withWorker(
                api, drainTimeout: .milliseconds(1), serve: { $0.leavesRunsOnExit = true }
            ) { subject in
                let run = try await startRun(api, deployment)
                let drains = subject.services.claiming.enter(.draining(limit: nil))
                #expect(drains)
                let later = api.scheduleRun(deployment: deployment)
                try await waitForHeartbeats(api)
                #expect(subject.daemon.reasonNotReady == "the worker is shutting down: draining, 1 flow run in flight")
                #expect(subject.daemon.report["state"] == "draining" && subject.daemon.report["claiming"] == "ended")
                #expect(!subject.hasEnded.isOpen && subject.daemon.isAlive)
                let resumes = subject.services.claiming.enter(.active)
                #expect(!resumes)
                api.setState(of: run, to: .completed)
                subject.backend.finish(run, .reported("COMPLETED"))
                try await subject.waitForEnd()
                #expect(api.stateHistory(of: later) == ["Scheduled"])
                #expect(api.events.last?["event"] == "prefect.worker.stopped")
                #expect(!subject.log.contains("Exiting with undelivered"))
            }
        }
    }

    @Test("a paused worker can be drained")
    func drainOfPaused() async throws {
        try await withPool { api, deployment in
            try await withWorker(api) { subject in
                let run = try await startRun(api, deployment)
                _ = subject.services.claiming.enter(.paused)
                _ = subject.services.claiming.enter(.draining(limit: nil))
                subject.backend.finish(run, ExitStatus(code: 0))
                try await subject.waitForEnd()
            }
        }
    }

    @Test("after the time limit of a drain, the remaining runs are stopped and reported")
    func drainLimit() async throws {
        try await withPool { api, deployment in
            try await withWorker(api) { subject in
                let run = try await startRun(api, deployment)
                _ = subject.services.claiming.enter(.draining(limit: .milliseconds(50)))
                try await subject.waitForEnd()
                #expect(api.run(run)?.stateType == .crashed)
                #expect(subject.log.contains("The time limit of the drain has expired: stopping 1 flow run"))
            }
        }
    }

    @Test("a signal during a drain has its usual effect")
    func signal() async throws {
        try await withPool { api, deployment in
            try await withWorker(api, serve: { $0.leavesRunsOnExit = true }) { subject in
                let run = try await startRun(api, deployment)
                _ = subject.services.claiming.enter(.draining(limit: nil))
                subject.shutdown.escalate()
                try await subject.waitForEnd()
                #expect(api.run(run)?.stateType == .pending)
                #expect(subject.services.ledger.entries.map(\.flowRunID) == [run])
            }
        }
    }
}
