import Foundation
import HTTPTransport
import JSON
import Logging
import PrefectAPI
import TestSupport
import Testing

@testable import Worker

@Suite("What the API tells as it happens", .serialized)
struct LiveTests {
    private func polls(_ live: LiveAPI) -> Int { live.proxy.requests("POST", "*/get_scheduled_flow_runs").count }

    @Test("a new run is polled for when its event comes", arguments: ["Scheduled", "Late", "Resuming"])
    func pickUp(state: String) async throws {
        try await withLiveWorker { subject, live, deployment in
            let run = live.api.scheduleRun(deployment: deployment)
            try await live.tell("prefect.flow-run.\(state)", run: run)
            try await live.api.waitUntil("it runs", timeout: .seconds(5)) { $0.run(run)?.infrastructurePID != nil }
            subject.backend.finish(run, .reported("COMPLETED"))
        }
    }

    @Test("a burst of new runs is taken with a few polls")
    func burst() async throws {
        let backend = FakeBackend { $0.immediateEnd = { _ in .reported("COMPLETED") } }
        try await withLiveWorker(backend: backend) { subject, live, deployment in
            let before = polls(live)
            for _ in 0..<100 {
                let run = live.api.scheduleRun(deployment: deployment)
                try await live.tell(EventSelection.scheduled, run: run)
            }
            try await eventually("all have run") { backend.startCount == 100 }
            #expect(polls(live) - before <= 20)
        }
    }

    @Test("a run that is due later is polled for when it is due, and asked about only once")
    func later() async throws {
        try await withLiveWorker(serve: { $0.prefetch = .seconds(1) }) { subject, live, deployment in
            let before = polls(live)
            let due = Date.now + 3
            let run = live.api.scheduleRun(deployment: deployment, at: due)
            try await live.tell(EventSelection.scheduled, run: run)
            try await live.api.waitUntil("it runs") { $0.run(run)?.infrastructurePID != nil }
            #expect((-1.1...1).contains(Date.now.timeIntervalSince(due)))
            #expect(polls(live) - before == 2)
            let questions = live.api.requests("POST", "/flow_runs/filter").filter {
                $0.body["flow_runs"]?["state"]?["type"]?["any_"] == ["SCHEDULED"]
            }
            #expect(questions.count == 1)
            subject.backend.finish(run, .reported("COMPLETED"))
        }
    }

    @Test("news of other pools, of queues that are not served and of a paused pool cause no poll")
    func others() async throws {
        try await withLiveWorker(serve: { $0.queues = ["mine"] }) { subject, live, deployment in
            let before = polls(live)
            try await live.tell(EventSelection.scheduled, run: "a", pool: "other", queue: "mine")
            try await live.tell(EventSelection.scheduled, run: "b", queue: "default")
            try await live.tellPool { $0["is_paused"] = true }
            try await eventually("the pause is known") { subject.worker.state.pool?.isPaused == true }
            try await live.tell(EventSelection.scheduled, run: "c", queue: "mine")
            #expect(polls(live) == before)
            try await live.tellPool { $0["is_paused"] = false }
            try await eventually("the end of the pause is a reason to poll") { polls(live) == before + 1 }
        }
    }

    @Test("a run is stopped when it is told to be cancelled, and not before the API confirms it")
    func cancellation() async throws {
        try await withLiveWorker { subject, live, deployment in
            let run = live.api.scheduleRun(deployment: deployment)
            try await live.tell(EventSelection.scheduled, run: run)
            try await live.api.waitUntil("it runs") { $0.run(run)?.infrastructurePID != nil }
            live.api.setState(of: run, to: .running)
            try await live.tell(EventSelection.cancelling, run: run)
            try await live.proxy.waitUntil("it is looked up") { !$0.requests("POST", "*/flow_runs/filter").isEmpty }
            live.api.setState(of: run, to: .cancelling)
            try await live.tell(EventSelection.cancelling, run: run)
            try await live.api.waitUntil("it is cancelled") { $0.run(run)?.stateType == .cancelled }
            let stops = subject.backend.calls.filter { if case .stop = $0 { true } else { false } }
            #expect(stops == [.stop(run, grace: .seconds(5), .cancelled)])
        }
    }

    @Test("a run that is told to be cancelled while it is being started is cancelled at once")
    func cancelledWhileStarting() async throws {
        let starting = Gate()
        let backend = FakeBackend { $0.beforeStart = { _ in await starting.wait() } }
        try await withLiveWorker(backend: backend) { subject, live, deployment in
            let run = live.api.scheduleRun(deployment: deployment)
            try await live.tell(EventSelection.scheduled, run: run)
            try await eventually("it is being started") { backend.startCount == 1 }
            live.api.setState(of: run, to: .cancelling)
            try await live.tell(EventSelection.cancelling, run: run)
            try await live.api.waitUntil("it is cancelled") { $0.run(run)?.stateType == .cancelled }
            starting.open()
        }
    }

    @Test("while the channel is there, no request is made for heartbeats and the pool; when it goes, they are")
    func channelReplacesRequests() async throws {
        try await withLiveWorker(serve: { $0.heartbeatInterval = .milliseconds(50) }) { subject, live, _ in
            func requests() -> Int {
                live.proxy.requests("POST", "*/workers/heartbeat").count
                    + live.proxy.requests("GET", "*/work_pools/p").count
            }
            let before = requests()
            let looks = live.proxy.requests("POST", "*/workers/filter").count
            try await live.proxy.waitUntil("some intervals are over") {
                $0.requests("POST", "*/workers/filter").count >= looks + 5
            }
            #expect(requests() == before)
            live.proxy.intercept(path: "*/workers/connect", .answer(503))
            try await live.closeChannel(1008, "authorization_failed")
            try await live.proxy.waitUntil("requests take over") { _ in requests() >= before + 4 }
            #expect(!subject.worker.connection.isLive)
            #expect(subject.log.contains("worker channel of work pool 'p' is refused", level: .warning))
        }
    }

    @Test("a template that is changed is what the next run is started with")
    func template() async throws {
        try await withLiveWorker { subject, live, deployment in
            try await live.tellPool { $0["base_job_template"]?["job_configuration"]?["env"] = ["COLOUR": "blue"] }
            try await eventually("it is known") {
                subject.worker.state.pool?.baseJobTemplate["job_configuration"]?["env"]?["COLOUR"] == "blue"
            }
            let run = live.api.scheduleRun(deployment: deployment)
            try await live.tell(EventSelection.scheduled, run: run)
            try await eventually("it is started") { subject.backend.started == [run] }
        }
    }

    @Test("a pool that is deleted is made anew at once")
    func deleted() async throws {
        try await withLiveWorker { subject, live, _ in
            let id = live.api.pool("p")?.id
            try await withWorkerClient(live.api) { client in
                let pool = try await client.json(APIRequest(.get, ["work_pools", "p"]))
                _ = try await client.send(APIRequest(.delete, ["work_pools", "p"]))
                try await live.tellPool(reason: "work_pool_deleted", pool: pool)
            }
            try await live.api.waitUntil("there is another one") { ($0.pool("p")?.id ?? id) != id }
        }
    }

    @Test("what can be seen of the connections is in the report and in the log")
    func report() async throws {
        try await withLiveWorker { subject, live, _ in
            let report = subject.daemon.report
            #expect(report["state"] == "serving" && report["ready"] == true)
            #expect(report["connections"]?["events_from_api"] == ["live": true, "state": "live"])
            #expect(report["connections"]?["events_to_api"] == ["live": false])
            #expect(report["pools"]?.arrayValue?.first?["channel"] == ["live": true, "state": "live"])
            #expect(subject.log.contains("The feed of new and cancelled flow runs is connected", level: .info))
            live.proxy.intercept(path: "*/events/out", .answer(503))
            live.proxy.intercept(path: "*/workers/connect", .answer(503))
            await live.proxy.resetConnections()
            try await eventually("both are away") {
                let connections = [subject.services.feed.connection, subject.worker.connection]
                return connections.allSatisfy { $0.current.json["reason"] != nil }
            }
            #expect(subject.log.contains("is away, requests do its work", level: .info))
        }
    }

    @Test("an API without WebSockets is served without a word about them")
    func older() async throws {
        try await withPool { api, deployment in
            try await withWorker(api) { subject in
                let run = api.scheduleRun(deployment: deployment)
                try await api.waitUntil("it runs") { $0.run(run)?.infrastructurePID != nil }
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
