import BackendKit
import Foundation
import HTTPTransport
import Logging
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import WorkerKit

@Suite("Live events and pool messages of the API", .serialized)
struct LiveTests {
    private func polls(_ live: LiveAPI) -> Int { live.proxy.requests("POST", "*/get_scheduled_flow_runs").count }

    @Test("the event of a new run causes a poll", arguments: ["Scheduled", "Late", "Resuming"])
    func pickUp(state: String) async throws {
        try await withLiveWorker { subject, live, deployment in
            let run = live.api.scheduleRun(deployment: deployment)
            try await live.tell("prefect.flow-run.\(state)", run: run)
            try await live.api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
            subject.backend.finish(run, .reported("COMPLETED"))
        }
    }

    @Test("a burst of new runs is taken with a few polls")
    func burst() async throws {
        let backend = FakeBackend { $0.immediateEnd = { _ in .reported("COMPLETED") } }
        try await withLiveWorker(backend: backend) { subject, live, deployment in
            let start = ContinuousClock.now
            let before = polls(live)
            for _ in 0..<100 {
                let run = live.api.scheduleRun(deployment: deployment)
                try await live.tell(EventSelection.scheduled, run: run)
            }
            try await eventually("all runs have started") { backend.startCount == 100 }
            // A slower machine may make more polls: one in 200 milliseconds.
            let made = polls(live) - before
            let allowed = 3 + Int((ContinuousClock.now - start) / .milliseconds(200))
            #expect(made <= max(20, allowed))
        }
    }

    @Test("a run that is due later is polled for at its due time and looked up only once")
    func later() async throws {
        try await withLiveWorker(serve: { $0.prefetch = .seconds(1) }) { subject, live, deployment in
            let before = polls(live)
            let due = Date.now + 10
            let run = live.api.scheduleRun(deployment: deployment, at: due)
            try await live.tell(EventSelection.scheduled, run: run)
            try await live.api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
            // The run must not start earlier. Its start proves the early poll: the ordinary one is an hour away.
            #expect(Date.now.timeIntervalSince(due) >= -1.1)
            #expect(polls(live) - before == 2)
            let questions = live.api.requests("POST", "/flow_runs/filter").filter {
                $0.body["flow_runs"]?["state"]?["type"]?["any_"] == ["SCHEDULED"]
            }
            #expect(questions.count == 1)
            subject.backend.finish(run, .reported("COMPLETED"))
        }
    }

    @Test("events of other pools, of unserved queues and of a paused pool cause no poll")
    func others() async throws {
        try await withLiveWorker(serve: { $0.queues = ["mine"] }) { subject, live, deployment in
            let before = polls(live)
            try await live.tell(EventSelection.scheduled, run: "a", pool: "other", queue: "mine")
            try await live.tell(EventSelection.scheduled, run: "b", queue: "default")
            try await live.tellPool { $0["is_paused"] = true }
            try await eventually("the worker knows of the pause") { subject.worker.state.pool?.isPaused == true }
            try await live.tell(EventSelection.scheduled, run: "c", queue: "mine")
            #expect(polls(live) == before)
            try await live.tellPool { $0["is_paused"] = false }
            try await eventually("the end of the pause causes a poll") { polls(live) == before + 1 }
        }
    }

    @Test("a run is stopped after its cancellation event, but not before the API confirms the cancellation")
    func cancellation() async throws {
        try await withLiveWorker { subject, live, deployment in
            let run = live.api.scheduleRun(deployment: deployment)
            try await live.tell(EventSelection.scheduled, run: run)
            try await live.api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
            live.api.setState(of: run, to: .running)
            try await live.tell(EventSelection.cancelling, run: run)
            try await live.proxy.waitUntil("the run is looked up") {
                !$0.requests("POST", "*/flow_runs/filter").isEmpty
            }
            live.api.setState(of: run, to: .cancelling)
            try await live.tell(EventSelection.cancelling, run: run)
            try await live.api.waitUntil("the run is cancelled") { $0.run(run)?.stateType == .cancelled }
            let stops = subject.backend.calls.filter { if case .stop = $0 { true } else { false } }
            #expect(stops == [.stop(run, grace: .seconds(5), .cancelled)])
        }
    }

    @Test("a cancellation event for a run that is being started cancels the run immediately")
    func cancelledWhileStarting() async throws {
        let starting = Gate()
        let backend = FakeBackend { $0.beforeStart = { _ in await starting.wait() } }
        try await withLiveWorker(backend: backend) { subject, live, deployment in
            let run = live.api.scheduleRun(deployment: deployment)
            try await live.tell(EventSelection.scheduled, run: run)
            try await eventually("the run is being started") { backend.startCount == 1 }
            live.api.setState(of: run, to: .cancelling)
            try await live.tell(EventSelection.cancelling, run: run)
            try await live.api.waitUntil("the run is cancelled") { $0.run(run)?.stateType == .cancelled }
            starting.open()
        }
    }

    @Test("a connected channel replaces the requests for heartbeats and the pool, which resume when the channel closes")
    func channelReplacesRequests() async throws {
        try await withLiveWorker(serve: { $0.heartbeatInterval = .milliseconds(50) }) { subject, live, _ in
            func requests() -> Int {
                live.proxy.requests("POST", "*/workers/heartbeat").count
                    + live.proxy.requests("GET", "*/work_pools/p").count
            }
            func looks() -> Int { live.proxy.requests("POST", "*/workers/filter").count }
            // The worker may still have made requests in the interval in which the channel was connected.
            let first = looks()
            try await live.proxy.waitUntil("an interval is over") { _ in looks() >= first + 2 }
            let (before, start) = (requests(), looks())
            try await live.proxy.waitUntil("some intervals are over") { _ in looks() >= start + 5 }
            #expect(requests() == before)
            live.proxy.intercept(path: "*/workers/connect", .answer(503))
            try await live.closeChannel(1008, "authorization_failed")
            try await live.proxy.waitUntil("requests replace the channel") { _ in requests() >= before + 4 }
            #expect(!subject.worker.connection.isLive)
            #expect(subject.log.contains("worker channel of work pool 'p' is refused", level: .warning))
        }
    }

    @Test("a changed template is known before the next run is started")
    func template() async throws {
        try await withLiveWorker { subject, live, deployment in
            try await live.tellPool { $0["base_job_template"]?["job_configuration"]?["env"] = ["COLOUR": "blue"] }
            try await eventually("the worker knows the changed template") {
                subject.worker.state.pool.map { JSONValue.object($0.baseJobTemplate) }?["job_configuration"]?["env"]?[
                    "COLOUR"] == "blue"
            }
            let run = live.api.scheduleRun(deployment: deployment)
            try await live.tell(EventSelection.scheduled, run: run)
            try await eventually("the run has started") { subject.backend.started == [run] }
        }
    }

    @Test("a deleted pool is created again immediately")
    func deleted() async throws {
        try await withLiveWorker { subject, live, _ in
            let id = live.api.pool("p")?.id
            try await withWorkerClient(live.api) { client in
                let pool = try await client.json(APIRequest(.get, ["work_pools", "p"]))
                _ = try await client.send(APIRequest(.delete, ["work_pools", "p"]))
                try await live.tellPool(reason: "work_pool_deleted", pool: pool)
            }
            try await live.api.waitUntil("a new pool exists") { ($0.pool("p")?.id ?? id) != id }
        }
    }

    @Test(
        "deleting a pool under a connected channel logs at most one warning, whether or not the pool is created again",
        arguments: [true, false])
    func deletedUnderChannel(createsPool: Bool) async throws {
        try await withLiveWorker(serve: {
            $0.createsPool = createsPool
            $0.heartbeatInterval = .milliseconds(50)
        }) { subject, live, _ in
            let id = live.api.pool("p")?.id
            live.api.removePool("p")
            try await live.closeChannel(1008, "authorization_failed")
            if createsPool {
                try await live.api.waitUntil("a new pool exists") { ($0.pool("p")?.id ?? id) != id }
                try await eventually("the channel is connected again") { subject.worker.connection.isLive }
            } else {
                let reads = live.api.requests("GET", "/work_pools/p").count
                try await live.api.waitUntil("the pool is looked for") {
                    $0.requests("GET", "/work_pools/p").count >= reads + 2
                }
            }
            #expect(!subject.log.messages(.warning).contains { $0.contains("channel") })
            #expect(!subject.log.messages(.error).contains { $0.contains("channel") })
            let missing = subject.log.messages(.warning).filter { $0.contains("'p' does not exist") }
            #expect(missing.count == (createsPool ? 0 : 1))
            #expect(subject.log.contains("authorization_failed", level: .debug))
            for level in [Logger.Level.info, .warning] { #expect(!subject.log.contains("_failed", level: level)) }
        }
    }

    @Test("a deleted pool is not created over the channel while its runs could not be started")
    func notCreatedOverChannel() async throws {
        let isWell = Mutex(true)
        let backend = FakeBackend { $0.problem = { isWell.withLock { $0 } ? nil : "the Engine is away" } }
        try await withLiveWorker(backend: backend, serve: { $0.heartbeatInterval = .milliseconds(50) }) {
            subject, live, _ in
            isWell.withLock { $0 = false }
            let connections = live.proxy.requests("GET", "*/workers/connect").count
            live.api.removePool("p")
            try await live.closeChannel(1011, "server_shutdown")
            try await eventually("the daemon reports the reason") {
                subject.daemon.reasonNotReady?.contains("is not created yet: the Engine is away") == true
            }
            try await live.proxy.waitUntil("the worker tries the channel again") {
                $0.requests("GET", "*/workers/connect").count > connections
            }
            let reads = live.api.requests("GET", "/work_pools/p").count
            try await live.api.waitUntil("the pool is looked for again") {
                $0.requests("GET", "/work_pools/p").count >= reads + 2
            }
            #expect(live.api.pool("p") == nil)
            isWell.withLock { $0 = true }
            try await live.api.waitUntil("the pool is created") { $0.pool("p") != nil }
            try await eventually("the channel is connected again") { subject.worker.connection.isLive }
            #expect(live.api.requests("POST", "/work_pools/").count == 1)
        }
    }

    @Test("a busy server that closes the channel repeatedly is reported once, in plain words")
    func busyServer() async throws {
        try await withLiveWorker(serve: { $0.heartbeatInterval = .milliseconds(50) }) { subject, live, _ in
            for _ in 1...3 {
                let connections = live.proxy.requests("GET", "*/workers/connect").count
                try await live.closeChannel(1011, "heartbeat_persistence_failed")
                try await live.proxy.waitUntil("the channel is opened again") {
                    $0.requests("GET", "*/workers/connect").count > connections
                }
                try await eventually("the channel is connected again") { subject.worker.connection.isLive }
            }
            let said = subject.log.messages(.info) + subject.log.messages(.warning)
            #expect(said.filter { $0.contains("too busy to record a heartbeat") }.count == 1)
            #expect(said.filter { $0.contains("worker channel of work pool 'p' is connected") }.count == 1)
            #expect(!said.contains { $0.contains("heartbeat_persistence_failed") })
            let debug = subject.log.messages(.debug)
            #expect(debug.filter { $0.contains("heartbeat_persistence_failed") }.count == 3, "\(debug)")
        }
    }

    @Test("the report and the log show the states of the connections")
    func report() async throws {
        try await withLiveWorker { subject, live, _ in
            let report = subject.daemon.report
            #expect(report["state"] == "serving" && report["ready"] == true)
            #expect(report["connections"]?["events_to_api"] == ["live": false])
            let opened = [subject.services.feed.connection, subject.worker.connection].map(\.json)
            #expect(report["connections"]?["events_from_api"] == opened[0])
            #expect(report["pools"]?.arrayValue?.first?["channel"] == opened[1])
            for connection in opened { #expect(connection["live"] == true && connection["state"] == "live") }
            #expect(subject.log.contains("The feed of new and cancelled flow runs is connected", level: .info))
            live.proxy.intercept(path: "*/events/out", .answer(503))
            live.proxy.intercept(path: "*/workers/connect", .answer(503))
            await live.proxy.resetConnections()
            try await eventually("both connections are lost") {
                let connections = [subject.services.feed.connection, subject.worker.connection]
                return connections.allSatisfy { $0.current.json["reason"] != nil }
            }
            for (before, connection) in zip(opened, [subject.services.feed.connection, subject.worker.connection]) {
                #expect(connection.json["since"]?.stringValue ?? "" > before["since"]?.stringValue ?? "~")
            }
            #expect(subject.log.contains("is unavailable, falling back to HTTP requests", level: .info))
        }
    }

    @Test("an API without WebSockets is served, and the log does not mention them")
    func older() async throws {
        try await withPool { api, deployment in
            try await withWorker(api) { subject in
                let run = api.scheduleRun(deployment: deployment)
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                try await eventually("the WebSockets are known to be missing") {
                    [subject.services.feed.connection, subject.worker.connection].allSatisfy {
                        $0.current.json["state"] == "unavailable"
                    }
                }
                let said = subject.log.messages(.info) + subject.log.messages(.warning) + subject.log.messages(.error)
                #expect(!said.contains { $0.contains("channel") || $0.contains("feed") || $0.contains("WebSocket") })
                subject.backend.finish(run, .reported("COMPLETED"))
            }
        }
    }
}
