import BackendKit
import Logging
import PrefectClient
import PrefectJSON
import TestSupport
import Testing
import WorkerKit

@Suite("Shutdown of the worker", .serialized)
struct ShutdownTests {
    @Test("a worker without runs exits immediately and sends its stopped event")
    func idle() async throws {
        try await withPool { api, _ in
            try await withWorker(api, serve: { $0.pollInterval = .seconds(600) }) { subject in
                try await api.waitUntil("the worker has polled") {
                    !$0.requests("POST", "*/get_scheduled_flow_runs").isEmpty
                }
                subject.shutdown.escalate()
                try await subject.waitForEnd()
                #expect(
                    api.events.map { $0["event"]?.stringValue } == ["prefect.worker.started", "prefect.worker.stopped"])
                #expect(api.events.last?["follows"] == api.events.first?["id"])
            }
        }
    }

    @Test("a worker without runs does not wait for the answer to its poll")
    func silentPoll() async throws {
        try await withPool { api, _ in
            let poll = api.script(path: "*/get_scheduled_flow_runs", answer: .hang)
            // The limits of a request and of a worker without runs are long, so that neither of them ends the wait.
            try await withWorker(api, requestTimeout: .seconds(60), idleExitLimit: .seconds(60)) { subject in
                try await eventually("the worker polls") { poll.uses == 1 }
                subject.shutdown.escalate()
                try await subject.waitForEnd()
                #expect(!subject.log.contains("Exiting with undelivered"))
            }
        }
    }

    @Test("a worker without runs waits for an API that does not answer only until the limit for idle workers")
    func silentAPI() async throws {
        try await withPool { api, _ in
            let poll = api.script(path: "*/get_scheduled_flow_runs", answer: .hang)
            try await withWorker(
                api, requestTimeout: .seconds(60), flushTimeout: .seconds(60), idleExitLimit: .milliseconds(200)
            ) { subject in
                try await eventually("the worker polls") { poll.uses == 1 }
                api.script(answer: .hang)
                subject.shutdown.escalate()
                try await subject.waitForEnd()
            }
        }
    }

    @Test("signals within a second of a request are part of the request, and later signals are not")
    func requests() {
        var requests = OperatorRequests()
        let start = ContinuousClock.now
        let counted = [0, 1, 999, 1000, 1999, 2000, 5000].map { requests.counts(at: start + .milliseconds($0)) }
        #expect(counted == [true, false, false, true, false, true, true])
    }

    @Test("the first signal lets the runs in flight end by themselves, and no other run is taken")
    func drains() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                subject.shutdown.escalate()
                let later = api.scheduleRun(deployment: deployment)
                let beats = api.pool("p")?.workers.first?.heartbeats ?? 0
                try await api.waitUntil("more heartbeats have arrived") {
                    ($0.pool("p")?.workers.first?.heartbeats ?? 0) >= beats + 2
                }
                #expect(subject.daemon.isAlive)
                #expect(subject.daemon.reasonNotReady == "the worker is shutting down: draining, 1 flow run in flight")
                #expect(!subject.hasEnded.isOpen)
                api.setState(of: run, to: .completed)
                subject.backend.finish(run, .reported("COMPLETED"))
                try await subject.waitForEnd()
                #expect(api.run(run)?.stateType == .completed)
                #expect(api.stateHistory(of: later) == ["Scheduled"])
            }
        }
    }

    @Test("the second signal stops the runs with their grace period, and the end of each run is reported")
    func secondSignal() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(3, deployment: deployment)
            try await withWorker(api) { subject in
                try await api.waitUntil("all runs have started") { state in
                    runs.allSatisfy { state.run($0)?.infrastructurePID != nil }
                }
                subject.shutdown.escalate()
                // A poll in progress may not have arrived yet.
                let polls = api.requests("POST", "*/get_scheduled_flow_runs").count
                subject.shutdown.escalate()
                try await subject.waitForEnd()
                expectStopped(runs, subject)
                #expect(api.requests("POST", "*/get_scheduled_flow_runs").count <= polls + 1)
            }
        }
    }

    @Test("when the time to drain is over, the runs are stopped")
    func drainTimeout() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(3, deployment: deployment)
            try await withWorker(api, drainTimeout: .milliseconds(100)) { subject in
                try await api.waitUntil("all runs have started") { state in
                    runs.allSatisfy { state.run($0)?.infrastructurePID != nil }
                }
                subject.shutdown.escalate()
                try await subject.waitForEnd()
                expectStopped(runs, subject)
                #expect(subject.log.contains("The drain timeout has expired: stopping 3 flow runs"))
            }
        }
    }

    private func expectStopped(_ runs: [String], _ subject: WorkerUnderTest) {
        for run in runs {
            #expect(subject.backend.calls.contains(.stop(run, grace: .seconds(5), .shutdown)))
            #expect(subject.backend.calls.contains(.cleanUp(run)))
            #expect(subject.api.run(run)?.stateType == .crashed)
            #expect(subject.api.run(run)?.state?.message?.contains("-15") == true)
        }
        let executed = subject.api.events.filter { $0["event"] == "prefect.worker.executed-flow-run" }
        #expect(executed.count == runs.count)
    }

    @Test("a run that was claimed but not started is given back for another worker")
    func claimedOnly() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let gate = Gate()
            let script = api.script(method: "GET", path: "/deployments/*", answer: .hold(gate))
            try await withWorker(api) { subject in
                try await eventually("the deployment is read") { script.uses == 1 }
                // The worker reads it already while it claims the run.
                try await api.waitUntil("the run is claimed") { $0.run(run)?.stateType == .pending }
                subject.shutdown.escalate()
                gate.open()
                try await subject.waitForEnd()
                #expect(subject.backend.started.isEmpty)
                #expect(api.run(run)?.stateType == .scheduled)
                #expect(api.run(run)?.state?.message?.contains("'tester' shut down before it started") == true)
            }
            try await withWorker(api) { _ in
                try await api.waitUntil("the next worker has started the run") { $0.run(run)?.infrastructurePID != nil }
            }
        }
    }

    @Test(
        "a run that is cancelled while it is given back ends as cancelled",
        arguments: [FakeState.Kind.cancelled, .cancelling])
    func cancelledWhileGivenBack(state: FakeState.Kind) async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            // The pause prevents a claim of the run before the hook is installed.
            api.setPaused(true, pool: "p")
            try await withWorker(api) { subject in
                api.onRequest { request in
                    if request.body["state"]?["name"] == "Submitting" { subject.shutdown.escalate() }
                    // On a slow machine, the run is also read before it is submitted.
                    if request.method == "GET", request.path == "/flow_runs/\(run)", !subject.shutdown.isServing {
                        if api.run(run)?.stateType == .pending { api.setState(of: run, to: state) }
                    }
                    return nil
                }
                api.setPaused(false, pool: "p")
                try await subject.waitForEnd()
            }
            #expect(api.stateHistory(of: run).last == "Cancelled")
        }
    }

    @Test("a run that a poll returned and the worker did not claim stays scheduled")
    func notClaimed() async throws {
        try await withPool { api, deployment in
            let gate = Gate()
            let run = api.scheduleRun(deployment: deployment)
            let poll = api.script(path: "*/get_scheduled_flow_runs", times: 1, answer: .hold(gate))
            try await withWorker(api) { subject in
                try await eventually("the pool is being polled") { poll.uses == 1 }
                subject.shutdown.escalate()
                gate.open()
                try await subject.waitForEnd()
                #expect(api.stateHistory(of: run) == ["Scheduled"])
                #expect(subject.backend.started.isEmpty)
            }
        }
    }

    @Test("a cancellation in progress has precedence over the shutdown")
    func cancelledBefore() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let gate = Gate()
            let backend = FakeBackend { $0.holdStopped = gate }
            try await withWorker(api, backend: backend) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                api.setState(of: run, to: .running)
                api.setState(of: run, to: .cancelling)
                try await eventually("the run is being stopped") {
                    backend.calls.contains(.stop(run, grace: .seconds(5), .cancelled))
                }
                subject.shutdown.advance(to: .stopping)
                gate.open()
                try await subject.waitForEnd()
                #expect(api.run(run)?.stateType == .cancelled)
            }
        }
    }

    @Test("a worker waits for an API that does not answer no longer than the limit of its final flush")
    func withoutAPI() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api, flushTimeout: .milliseconds(300)) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                api.script(answer: .hang)
                subject.shutdown.advance(to: .stopping)
                try await subject.waitForEnd(within: .seconds(10))
                #expect(subject.backend.calls.contains(.stop(run, grace: .seconds(5), .shutdown)))
                #expect(subject.log.contains("will be recovered at the next start of this worker, from stage 'exited'"))
            }
        }
    }

    @Test("a worker that has never reached the API exits on request")
    func neverReached() async throws {
        try await withFakePrefectAPI { api in
            await api.goOffline()
            try await withWorker(api, flushTimeout: .milliseconds(300)) { subject in
                try await eventually("the worker has tried to reach the API") {
                    subject.daemon.reasonNotReady?.contains("cannot be read") == true
                }
                #expect(subject.daemon.isAlive)
                subject.shutdown.advance(to: .stopping)
                try await subject.waitForEnd(within: .seconds(10))
            }
        }
    }

    @Test("a pool that is served once is polled once, and the worker ends when its runs have ended")
    func once() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(3, deployment: deployment)
            let change: (inout ServedPool) -> Void = { $0.runsOnce = true }
            try await withWorker(api, serve: change) { subject in
                try await api.waitUntil("all runs have started") { state in
                    runs.allSatisfy { state.run($0)?.infrastructurePID != nil }
                }
                let later = api.scheduleRun(deployment: deployment)
                #expect(!subject.hasEnded.isOpen)
                #expect(subject.worker.state.timeSinceTick == .zero)
                for run in runs { subject.backend.finish(run, .reported("COMPLETED")) }
                try await subject.waitForEnd()
                #expect(api.run(later)?.stateName == "Scheduled")
                #expect(api.requests("POST", "*/get_scheduled_flow_runs").count == 1)
            }
        }
    }

    @Test("a worker that serves a pool once ends after recording its started runs if they need no worker")
    func onceStarted() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(3, deployment: deployment)
            try await FakeBackend.$isDoneOnceStarted.withValue(true) {
                try await withWorker(api, serve: { $0.runsOnce = true }) { subject in
                    try await subject.waitForEnd()
                    #expect(Set(subject.backend.started) == Set(runs))
                    for run in runs {
                        #expect(api.run(run)?.infrastructurePID != nil && api.run(run)?.stateType == .pending)
                    }
                }
            }
        }
    }

    @Test("logs that the API never accepts do not prevent the exit of a worker whose runs have ended")
    func untoldLogs() async throws {
        try await withPool { api, deployment in
            api.scheduleRun(deployment: deployment)
            api.script(path: "/logs/", answer: .status(500))
            let backend = FakeBackend { $0.immediateEnd = { _ in .reported("COMPLETED") } }
            let change: (inout ServedPool) -> Void = { $0.runsOnce = true }
            try await withWorker(api, backend: backend, flushTimeout: .seconds(10), serve: change) { subject in
                try await subject.waitForEnd()
                #expect(subject.log.contains("Exiting with undelivered"))
                #expect(api.events.count == 4)
            }
        }
    }

    @Test("a worker that serves an empty pool once ends immediately")
    func onceEmpty() async throws {
        try await withPool { api, _ in
            try await withWorker(api, serve: { $0.runsOnce = true }) { subject in
                try await subject.waitForEnd()
                #expect(api.requests("POST", "*/get_scheduled_flow_runs").count == 1)
                #expect(api.events.count == 2)
            }
        }
    }
}
