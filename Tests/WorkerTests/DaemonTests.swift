import BackendKit
import HTTPTransport
import Logging
import PrefectClient
import PrefectJSON
import TestSupport
import Testing
import WorkerKit

@Suite("Several pools in one daemon", .serialized)
struct DaemonTests {
    @Test("a pool that cannot be served does not affect the other pools")
    func twoPools() async throws {
        try await withPool { api, deployment in
            api.addPool(name: "other", type: "docker")
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api) { first in
                var served = first.worker.served
                served.name = "other"
                let second = PoolWorker(served: served, backend: first.backend, services: first.services)
                let daemon = WorkerDaemon(
                    pools: [first.worker, second], backends: [first.backend], services: first.services)
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await second.run(second.restoreRuns()) }
                    try? await api.waitUntil("the run of the usable pool has started") {
                        $0.run(run)?.infrastructurePID != nil
                    }
                    try? await eventually("the daemon reports the unusable pool") {
                        daemon.reasonNotReady?.contains("'docker'") == true
                    }
                    group.cancelAll()
                }
                #expect(api.run(run)?.infrastructurePID != nil)
                #expect(first.daemon.reasonNotReady == nil)
                #expect(daemon.reasonNotReady?.contains("'docker'") == true)
                #expect(daemon.isAlive)
            }
        }
    }

    @Test("pools with a common limit start all their runs, each pool under its own worker name")
    func sharedLimit() async throws {
        try await withPool { api, deployment in
            let other = api.addPool(name: "other")
            let otherDeployment = api.addDeployment(name: "other's", pool: other)
            let backend = FakeBackend { $0.beforeStart = { _ in try await Task.sleep(for: .milliseconds(20)) } }
            try await withWorker(api, backend: backend, serve: { $0.limit = 0 }) { first in
                let both = SlotLimiter(limit: 2)
                let pools = [("p", "one"), ("other", "two")].map { name, worker in
                    var served = first.worker.served
                    served.name = name
                    served.workerName = worker
                    served.limit = nil
                    return PoolWorker(served: served, backend: backend, services: first.services, within: both)
                }
                let runs =
                    api.scheduleRuns(3, deployment: deployment) + api.scheduleRuns(3, deployment: otherDeployment)
                let daemon = WorkerDaemon(pools: pools, backends: [backend], services: first.services)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await daemon.run() }
                    for count in 1...6 {
                        try await eventually("another run is watched") { backend.watched.count >= count }
                        backend.finish(backend.watched[count - 1], ExitStatus(code: 0))
                    }
                    group.cancelAll()
                }
                #expect(Set(backend.started) == Set(runs) && backend.started.count == 6)
                #expect(backend.mostActive <= 2)
            }
            for (pool, worker) in [("p", "one"), ("other", "two")] {
                let polls = api.requests("POST", "/work_pools/\(pool)/get_scheduled_flow_runs")
                #expect(Set(polls.map { $0.header("X-Prefect-Worker-Name") }) == [worker])
            }
        }
    }

    @Test("a pool can be added and retired while others are served; its runs in flight are watched to their end")
    func changingPools() async throws {
        try await withPool { api, deployment in
            let other = api.addPool(name: "other")
            let otherDeployment = api.addDeployment(name: "other's", pool: other)
            try await withWorker(api) { subject in
                try await eventually("the first pool is served") { subject.daemon.reasonNotReady == nil }
                var served = subject.worker.served
                served.name = "other"
                subject.daemon.add(PoolWorker(served: served, backend: subject.backend, services: subject.services))
                let run = api.scheduleRun(deployment: otherDeployment)
                try await api.waitUntil("the other pool is served") { $0.run(run)?.infrastructurePID != nil }
                subject.daemon.retire(pool: "other")
                let late = api.scheduleRun(deployment: otherDeployment)
                let mine = api.scheduleRun(deployment: deployment)
                try await api.waitUntil("the first pool is still served") { $0.run(mine)?.infrastructurePID != nil }
                #expect(api.run(late)?.stateType == .scheduled)
                #expect(subject.daemon.pools.map(\.served.name) == ["p", "other"])
                subject.backend.finish(run, ExitStatus(code: 3))
                try await api.waitUntil("the end of the run is reported") { $0.run(run)?.stateType == .crashed }
                await subject.daemon.waitUntilGone(pool: "other")
                #expect(subject.daemon.pools.map(\.served.name) == ["p"])
                // The first pool still starts runs with the same backend.
                #expect(subject.backend.releases == 0)
                subject.shutdown.escalate()
                try await eventually("the backend keeps nothing ready any more") { subject.backend.releases == 1 }
            }
        }
    }

    @Test("a limit and the queues of a pool can be changed while it is served")
    func changedPool() async throws {
        try await withPool { api, deployment in
            try await withWorker(api, serve: { $0.limit = 1 }) { subject in
                let runs = api.scheduleRuns(2, deployment: deployment)
                try await eventually("one run is watched") { subject.backend.watched.count == 1 }
                #expect(subject.worker.slots.free == 0)
                subject.daemon.change(pool: "p") { served in
                    served.limit = 2
                    served.queues = ["default", "new"]
                }
                try await eventually("both runs are watched") { Set(subject.backend.watched) == Set(runs) }
                try await api.waitUntil("the queue is created") {
                    !$0.requests("POST", "/work_pools/p/queues").isEmpty
                }
            }
        }
    }

    @Test("the worker sends its own log lines to Cloud once it has an id, and no lines about runs")
    func forwarder() async throws {
        try await withFakePrefectAPI { api in
            try await withWorkerClient(api) { client in
                let logs = LogShipper(
                    api: client, interval: .milliseconds(1), batchBytes: 4_000_000, maximumRecordBytes: 1_000_000,
                    isEnabled: true, logger: CapturedLog().logger)
                let hasID = Gate()
                var logger = Logger(label: "prefect.workers.process.w") { label in
                    WorkerLogForwarder(
                        logger: label, level: .info, logs: logs, workerID: { hasID.isOpen ? "id-1" : nil })
                }
                logger.warning("too early")
                hasID.open()
                logger.warning("told")
                logger.debug("too fine")
                logger[metadataKey: "flow_run_id"] = "run"
                logger.warning("about a run")
                logs.close()
                await logs.run()
            }
            #expect(api.logs.map { $0["message"] } == ["told"])
            let line = try #require(api.logs.first)
            #expect(line["worker_id"] == "id-1")
            #expect(line["flow_run_id"] == .null)
            #expect(line["name"] == "prefect.workers.process.w")
            #expect(line["level"] == 30)
        }
    }
}
