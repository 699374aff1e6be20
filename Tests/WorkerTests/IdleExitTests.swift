import BackendKit
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@testable import WorkerKit

@Suite("Exit of an idle worker", .serialized)
struct IdleExitTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test("the time between polls that found nothing counts, and a run begins a new count")
    func busy() {
        var idle = IdleTime()
        idle.noteIdle(at: at(0))
        #expect(idle.total == .zero)
        idle.noteIdle(at: at(10))
        idle.noteIdle(at: at(25))
        #expect(idle.total == .seconds(25))
        idle.noteBusy()
        #expect(idle.total == .zero)
        idle.noteIdle(at: at(60))
        idle.noteIdle(at: at(70))
        #expect(idle.total == .seconds(10))
    }

    @Test("time in which the API does not answer does not count, and keeps the count so far")
    func outage() {
        var idle = IdleTime()
        idle.noteIdle(at: at(0))
        idle.noteIdle(at: at(10))
        idle.noteUnknown()
        idle.noteIdle(at: at(1000))
        #expect(idle.total == .seconds(10))
        idle.noteIdle(at: at(1010))
        #expect(idle.total == .seconds(20))
    }

    @Test("a worker without runs exits after its idle time")
    func exits() async throws {
        try await withPool { api, _ in
            try await withWorker(api, idleLimit: .milliseconds(200)) { subject in
                try await subject.waitForEnd(within: .seconds(30))
                #expect(subject.log.contains("No flow run was due or in flight for 0.2 s: exiting"))
                #expect(api.events.last?["event"] == "prefect.worker.stopped")
            }
        }
    }

    @Test("a run in flight keeps the worker, and its end begins the idle time")
    func runs() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api, idleLimit: .milliseconds(100)) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                let polls = api.requests("POST", "*/get_scheduled_flow_runs").count
                try await api.waitUntil("the worker has polled for longer than its idle time") {
                    $0.requests("POST", "*/get_scheduled_flow_runs").count >= polls + 8
                }
                #expect(!subject.hasEnded.isOpen && subject.worker.state.idleTime == .zero)
                api.setState(of: run, to: .completed)
                subject.backend.finish(run, .reported("COMPLETED"))
                try await subject.waitForEnd(within: .seconds(30))
            }
        }
    }

    @Test("a worker whose API is unavailable, or that is paused, does not exit")
    func unknown() async throws {
        try await withPool { api, _ in
            let outage = api.script(path: "*/get_scheduled_flow_runs", answer: .databaseLocked)
            try await withWorker(api, idleLimit: .milliseconds(50)) { subject in
                try await eventually("the worker has polled again") { outage.uses > 2 }
                #expect(!subject.hasEnded.isOpen && subject.worker.state.idleTime == .zero)
                _ = subject.services.claiming.enter(.paused)
                outage.end()
                let beats = api.pool("p")?.workers.first?.heartbeats ?? 0
                try await api.waitUntil("more heartbeats have arrived") {
                    ($0.pool("p")?.workers.first?.heartbeats ?? 0) >= beats + 4
                }
                #expect(!subject.hasEnded.isOpen)
                _ = subject.services.claiming.enter(.active)
                try await subject.waitForEnd(within: .seconds(30))
            }
        }
    }

    @Test("a worker with several pools exits only when all are idle")
    func severalPools() async throws {
        try await withPool { api, deployment in
            api.addPool(name: "other", template: FakePrefectAPI.processTemplate)
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api, serve: { $0.limit = 0 }) { first in
                let pools = ["p", "other"].map { name in
                    var served = first.worker.served
                    served.name = name
                    served.limit = nil
                    return PoolWorker(served: served, backend: first.backend, services: first.services)
                }
                let daemon = WorkerDaemon(
                    pools: pools, backends: [first.backend], services: first.services, idleLimit: .milliseconds(100))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await daemon.run() }
                    try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                    try await eventually("the other pool is idle") { pools[1].state.idleTime > .milliseconds(200) }
                    #expect(first.shutdown.isServing)
                    first.backend.finish(run, ExitStatus(code: 0))
                    try await group.waitForAll()
                }
                #expect(first.shutdown.phase == .draining)
            }
        }
    }
}
