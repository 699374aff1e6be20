import BackendKit
import Logging
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import WorkerKit

@Suite("Polling", .serialized)
struct PollingTests {
    @Test("a run that cannot be read does not hold back the other runs")
    func unreadable() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(200, deployment: deployment)
            let bad = runs[77]
            api.script(
                path: "*/get_scheduled_flow_runs",
                answer: .replaceBody { body in
                    .array(
                        (body.arrayValue ?? []).map { row in
                            guard row["flow_run"]?["id"]?.stringValue == bad else { return row }
                            var row = row
                            row["flow_run"]?["flow_id"] = nil
                            return row
                        })
                })
            let backend = FakeBackend { $0.immediateEnd = { _ in .reported("COMPLETED") } }
            try await withWorker(api, backend: backend) { subject in
                try await eventually(within: .seconds(60), "199 runs have started") { backend.startCount >= 199 }
                #expect(Set(backend.started) == Set(runs).subtracting([bad]))
                #expect(subject.log.messages(.error).first?.contains("flow_id") == true)
                #expect(api.run(bad)?.stateName == "Scheduled")
            }
        }
    }

    @Test("a thousand runs use ten slots, never more than ten run at a time, and every slot is freed")
    func thousand() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(1000, deployment: deployment)
            api.configure { $0.pageLimit = 2000 }
            let mostUsed = Mutex(0)
            let backend = FakeBackend {
                $0.beforeStart = { _ in await Task.yield() }
                $0.immediateEnd = { _ in .reported("COMPLETED") }
            }
            let change: (inout ServedPool) -> Void = {
                $0.limit = 10
                $0.pollInterval = .milliseconds(1)
            }
            api.onRequest { request in
                if request.path.hasSuffix("get_scheduled_flow_runs") {
                    mostUsed.withLock { $0 = max($0, request.body["limit"]?.intValue ?? 0) }
                }
                return nil
            }
            try await withWorker(api, backend: backend, serve: change) { subject in
                try await eventually(within: .seconds(200), "all runs have started") { backend.startCount >= 1000 }
                try await subject.waitUntilIdle()
                #expect(Set(backend.started) == Set(runs))
                #expect(backend.started.count == 1000)
                #expect(backend.mostActive <= 10)
                #expect(mostUsed.withLock { $0 } <= 20)
            }
        }
    }

    @Test("a server that returns more runs than requested does not make the worker exceed its limit")
    func generousServer() async throws {
        try await withPool { api, deployment in
            api.scheduleRuns(50, deployment: deployment)
            api.onRequest { request in
                guard request.path.hasSuffix("get_scheduled_flow_runs"), request.body["limit"] != nil else {
                    return nil
                }
                // The answer to a request without a limit.
                let rows = api.snapshot.runs.filter { $0.stateType == .scheduled }.map { run -> JSONValue in
                    ["work_pool_id": "x", "work_queue_id": "y", "flow_run": api.flowRun(run.id)]
                }
                return .status(200, body: .array(rows))
            }
            try await withWorker(api, serve: { $0.limit = 7 }) { subject in
                try await eventually("seven runs are watched") { subject.backend.watched.count == 7 }
                #expect(subject.worker.registry.count == 7)
                let run = subject.backend.started[3]
                subject.backend.finish(run, .reported("COMPLETED"))
                try await eventually("the next run has started") { subject.backend.started.count == 8 }
                #expect(subject.backend.mostActive == 7)
            }
        }
    }

    @Test("more runs than one answer holds are fetched by successive polls without waiting for the interval")
    func manyPages() async throws {
        try await withPool { api, deployment in
            api.scheduleRuns(450, deployment: deployment)
            try await withWorker(api, serve: { $0.pollInterval = .seconds(60) }) { subject in
                try await eventually(within: .seconds(30), "all runs have started") {
                    subject.backend.watched.count == 450
                }
                #expect(api.requests("POST", "*/get_scheduled_flow_runs").allSatisfy { $0.body["limit"] == nil })
                #expect(subject.backend.mostActive == 450)
            }
        }
    }

    @Test("no poll is sent while no slot is free")
    func noFreeSlot() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(3, deployment: deployment)
            try await withWorker(api, serve: { $0.limit = 2 }) { subject in
                try await eventually("two runs have started") { subject.backend.started.count == 2 }
                let polls = api.requests("POST", "*/get_scheduled_flow_runs").count
                try await api.waitUntil("more heartbeats have arrived") {
                    ($0.pool("p")?.workers.first?.heartbeats ?? 0) >= 4
                }
                #expect(api.requests("POST", "*/get_scheduled_flow_runs").count <= polls + 1)
                #expect(subject.daemon.isAlive)
                subject.backend.finish(runs[0], .reported("COMPLETED"))
                try await eventually("the third run has started") { subject.backend.started.count == 3 }
            }
        }
    }

    @Test("a run whose end is still being reported has no slot")
    func slotOfEndedRun() async throws {
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(2, deployment: deployment)
            let refused = api.script(path: "/flow_runs/\(runs[0])/labels", answer: .status(503))
            try await withWorker(api, serve: { $0.limit = 1 }) { subject in
                try await eventually("the first run has started") { subject.backend.watched == [runs[0]] }
                subject.backend.finish(runs[0], .reported("COMPLETED"))
                try await eventually("the second run has started") { subject.backend.started == runs }
                #expect(subject.worker.registry.contains(runs[0]))
                refused.end()
            }
        }
    }

    @Test("the limit is that of starts for a backend whose runs free their slots once started")
    func slotsOfStarts() async throws {
        try await FakeBackend.$holdsSlotUntilEnd.withValue(false) {
            try await withPool { api, deployment in
                api.scheduleRuns(3, deployment: deployment)
                try await withWorker(api, serve: { $0.limit = 1 }) { subject in
                    try await eventually("all runs are watched") { subject.backend.watched.count == 3 }
                    #expect(subject.worker.registry.count == 3)
                }
            }
        }
    }

    @Test("a worker is not ready and does not poll while its infrastructure is unavailable, and resumes afterwards")
    func infrastructureAway() async throws {
        try await withPool { api, deployment in
            let backend = FakeBackend { $0.unavailableReason = "no engine" }
            let run = api.scheduleRun(deployment: deployment)
            try await withWorker(api, backend: backend) { subject in
                try await eventually("the worker is not ready") { subject.daemon.reasonNotReady == "no engine" }
                try await api.waitUntil("the worker continues its heartbeats") {
                    $0.requests("POST", "/work_pools/p/workers/heartbeat").count > 3
                }
                #expect(api.requests("POST", "/work_pools/p/get_scheduled_flow_runs").isEmpty)
                #expect(subject.daemon.isAlive)
                backend.script { $0.unavailableReason = nil }
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                #expect(subject.daemon.reasonNotReady == nil)
            }
        }
    }

    @Test("only the configured queues are polled, in the API's order of priority")
    func queues() async throws {
        try await withFakePrefectAPI { api in
            let pool = api.addPool(name: "p")
            api.addQueue(name: "low", pool: pool, priority: 9)
            api.addQueue(name: "high", pool: pool, priority: 2)
            let others = api.addDeployment(name: "other", pool: pool)
            let low = api.addDeployment(name: "low", pool: pool, queue: "low")
            let high = api.addDeployment(name: "high", pool: pool, queue: "high")
            let ignored = api.scheduleRun(deployment: others)
            let second = api.scheduleRun(deployment: low)
            let first = api.scheduleRun(deployment: high)
            let change: (inout ServedPool) -> Void = {
                $0.queues = ["low", "high"]
                $0.limit = 1
            }
            try await withWorker(api, serve: change) { subject in
                try await eventually("the first run is watched") { subject.backend.watched == [first] }
                subject.backend.finish(first, .reported("COMPLETED"))
                try await eventually("the second run has started") { subject.backend.started == [first, second] }
                #expect(api.run(ignored)?.stateName == "Scheduled")
            }
        }
    }

    @Test("a run is taken shortly before it is due, and not earlier")
    func prefetch() async throws {
        try await withPool { api, deployment in
            let soon = api.scheduleRun(deployment: deployment, at: Timestamp.now.adding(seconds: 5).date)
            let later = api.scheduleRun(deployment: deployment, at: Timestamp.now.adding(seconds: 3600).date)
            try await withWorker(api, serve: { $0.prefetch = .seconds(60) }) { subject in
                try await eventually("the first run has started") { subject.backend.started == [soon] }
                #expect(api.run(later)?.stateName == "Scheduled")
            }
        }
    }

    @Test("runs that are too large for one answer are requested in smaller numbers")
    func tooLarge() async throws {
        let size = 65 << 20
        let huge =
            Array("HTTP/1.1 200 OK\r\ncontent-length: \(size)\r\n\r\n".utf8) + Array(repeating: 0x20, count: size)
        try await withPool { api, deployment in
            let runs = api.scheduleRuns(5, deployment: deployment)
            api.script(path: "*/get_scheduled_flow_runs", times: 1, answer: .raw(huge))
            try await withWorker(api) { subject in
                try await eventually("all runs have started") { subject.backend.started.count == runs.count }
                let limits = api.requests("POST", "*/get_scheduled_flow_runs").prefix(2).map { $0.body["limit"] }
                #expect(limits == [nil, 50])
                #expect(subject.log.contains("too large for one answer"))
            }
        }
    }

    @Test("runs continue during an outage of the API, and polling resumes by itself afterwards")
    func outage() async throws {
        try await withPool { api, deployment in
            let before = api.scheduleRun(deployment: deployment)
            try await withWorker(api) { subject in
                try await api.waitUntil("the run has started") { $0.run(before)?.infrastructurePID != nil }
                await api.goOffline()
                try await eventually("the worker has noticed the outage") {
                    subject.daemon.reasonNotReady?.contains("cannot be") == true
                }
                #expect(subject.daemon.isAlive)
                #expect(subject.worker.registry.contains(before))
                subject.backend.finish(before, ExitStatus(code: 1))
                let after = api.scheduleRun(deployment: deployment)
                try await api.comeBack()
                try await api.waitUntil("the crash is reported and the next run has started") {
                    $0.run(before)?.stateType == .crashed && $0.run(after)?.infrastructurePID != nil
                }
                try await eventually("the worker is ready") { subject.daemon.reasonNotReady == nil }
                let complaints = subject.log.messages(.warning).filter { $0.contains("keeps trying") }
                #expect(complaints.count < 10)
            }
        }
    }

    @Test("a run frees its slot and its end is processed, whatever its outcome", arguments: 0..<4)
    func everySlotIsFreed(seed: Int) async throws {
        try await withPool { api, deployment in
            var random = SystemRandomNumberGenerator()
            let runs = api.scheduleRuns(60, deployment: deployment)
            let fates = Dictionary(uniqueKeysWithValues: runs.map { ($0, Int.random(in: 0..<9, using: &random)) })
            for (run, fate) in fates {
                let path = "/flow_runs/\(run)/set_state"
                switch fate {
                case 0: api.script(path: path, times: 1, answer: .status(404))
                case 1: api.script(path: path, times: 1, answer: .tooManyRequests(retryAfter: 1))
                case 2: api.script(path: path, times: 1, answer: .applyThen(.closeConnection))
                case 3: api.script(path: path, times: 1, answer: .status(400))
                default: break
                }
            }
            let backend = FakeBackend {
                $0.beforeStart = { job in
                    if fates[job.flowRunID] == 4 { throw InfrastructureError(.refused, "no") }
                }
                $0.immediateEnd = { job in
                    switch fates[job.flowRunID] {
                    case 5: ExitStatus(code: 1)
                    case 6: ExitStatus(code: 0)
                    case 7: ExitStatus(code: nil)
                    default: .reported("COMPLETED")
                    }
                }
            }
            let change: (inout ServedPool) -> Void = {
                $0.limit = 5
                $0.pollInterval = .milliseconds(2)
            }
            try await withWorker(api, backend: backend, serve: change) { subject in
                try await eventually(within: .seconds(30), "all runs are processed") {
                    backend.startCount >= 60 && subject.worker.registry.count == 0
                }
                #expect(backend.mostActive <= 5)
                #expect(backend.started.count == 60)
                for (run, fate) in fates where [4, 5, 6, 7].contains(fate) {
                    #expect(api.run(run)?.stateType == .crashed)
                }
            }
        }
    }
}
