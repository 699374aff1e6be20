import HTTPTransport
import JSON
import Logging
import PrefectAPI
import TestSupport
import Testing
import Worker

@Suite("Several pools in one daemon", .serialized)
struct DaemonTests {
    @Test("the trouble of one pool is not the others'")
    func twoPools() async throws {
        try await withPool { api, deployment in
            api.addPool(name: "other", type: "docker")
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api) { first in
                var served = first.worker.served
                served.name = "other"
                let second = PoolWorker(served: served, backend: FakeBackend(), services: first.services)
                let daemon = WorkerDaemon(pools: [first.worker, second], services: first.services)
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await second.run() }
                    try? await api.waitUntil("the good one is served") { $0.run(run)?.infrastructurePID != nil }
                    try? await eventually("the bad one is known") {
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

    @Test("the worker's own lines go to Cloud once the worker has an id, those about runs do not")
    func forwarder() async throws {
        try await withFakePrefectAPI { api in
            try await withWorkerClient(api) { client in
                let logs = LogShipper(
                    api: client, interval: .milliseconds(1), batchBytes: 4_000_000, maximumRecordBytes: 1_000_000,
                    isEnabled: true, notice: { _ in })
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
