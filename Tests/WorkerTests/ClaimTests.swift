import FoundationEssentials
import Logging
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport
import Testing
import WorkerKit

@Suite("Claiming a flow run", .serialized)
struct ClaimTests {
    private func claims(_ api: FakePrefectAPI, of run: String) -> [RecordedRequest] {
        api.requests("POST", "/flow_runs/\(run)/set_state").filter { $0.body["state"]?["name"] == "Pending" }
    }

    @Test("the objects that a job needs are read while the claim has no answer yet")
    func readAhead() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let gate = Gate()
            api.script(path: "/flow_runs/\(run)/set_state", times: 1, answer: .hold(gate))
            try await withWorker(api) { subject in
                try await api.waitUntil("the deployment and the flow have been read") {
                    !$0.requests("GET", "/deployments/*").isEmpty && !$0.requests("GET", "/flows/*").isEmpty
                }
                #expect(api.run(run)?.stateName == "Scheduled")
                gate.open()
                try await eventually("the run has started") { subject.backend.started == [run] }
                #expect(api.requests("GET", "/deployments/*").count == 1)
            }
        }
    }

    @Test("a run that another worker has started is not started again, and its slot is freed")
    func aborted() async throws {
        try await withPool { api, deployment in
            let taken = api.scheduleRun(deployment: deployment)
            api.onRequest { request in
                guard request.path == "/flow_runs/\(taken)/set_state", api.stateHistory(of: taken) == ["Scheduled"]
                else { return nil }
                api.setState(of: taken, to: .running)
                return nil
            }
            try await withWorker(api, serve: { $0.limit = 1 }) { subject in
                try await api.waitUntil("the log has the reason") {
                    $0.logMessages(of: taken).contains { $0.contains("was not submitted") && $0.contains("RUNNING") }
                }
                let next = api.scheduleRun(deployment: deployment)
                try await api.waitUntil("the slot is free again") { $0.run(next)?.infrastructurePID != nil }
                #expect(subject.backend.started == [next])
                #expect(api.run(taken)?.stateType == .running)
            }
        }
    }

    @Test("a run that the API puts into another state is not started")
    func rejected() async throws {
        try await withFakePrefectAPI { api in
            let pool = api.addPool(name: "p")
            let deployment = api.addDeployment(name: "d", pool: pool, concurrencyLimit: 1)
            let runs = api.scheduleRuns(2, deployment: deployment)
            try await withWorker(api) { subject in
                let waiting = try await api.wait(for: "one run has started and the other waits") { state in
                    runs.contains { state.run($0)?.infrastructurePID != nil }
                        ? runs.first { state.run($0)?.stateName == "AwaitingConcurrencySlot" } : nil
                }
                #expect(subject.backend.started == runs.filter { $0 != waiting })
                try await eventually("the worker holds only one run") { subject.worker.registry.count == 1 }
            }
        }
    }

    @Test("a claim that the API answers with WAIT is repeated")
    func waiting() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let wait: JSONValue = [
                "state": nil, "status": "WAIT",
                "details": ["type": "wait_details", "delay_seconds": 1, "reason": "later"],
            ]
            let script = api.script(
                method: "POST", path: "/flow_runs/\(run)/set_state", times: 2, answer: .status(200, body: wait))
            try await withWorker(api) { _ in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                #expect(script.uses == 2)
            }
        }
    }

    @Test(
        "a claim whose answer is lost still belongs to this worker",
        arguments: [0, 5], [Fault.closeConnection, .reset, .garbage(), .status(502), .truncatedBody])
    func lostAnswer(maxRetries: Int, fault: Fault) async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let script = api.script(
                method: "POST", path: "/flow_runs/\(run)/set_state", times: 1, answer: .applyThen(fault))
            try await withWorker(api, retryPolicy: RetryPolicy(maxRetries: maxRetries)) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                #expect(script.uses == 1)
                #expect(subject.backend.started == [run])
                #expect(api.stateHistory(of: run) == ["Scheduled", "Pending", "Submitting"])
            }
        }
    }

    @Test("when an answer is lost, another worker's claim is not mistaken for this worker's claim")
    func lostRace() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            api.onRequest { request in
                guard request.path == "/flow_runs/\(run)/set_state", api.stateHistory(of: run) == ["Scheduled"] else {
                    return nil
                }
                api.setState(of: run, to: .pending)
                return .closeConnection
            }
            try await withWorker(api) { subject in
                try await eventually("the worker drops the run") { subject.log.contains("was not submitted") }
                #expect(subject.backend.started.isEmpty)
            }
        }
    }

    @Test(
        "when the claims of two workers are accepted, the worker whose mark was accepted has the run",
        arguments: [false, true])
    func contested(isOurs: Bool) async throws {
        try await withPool { api, deployment in
            try await announceAnotherWorker(api)
            let run = api.scheduleRun(deployment: deployment)
            if !isOurs {
                api.script(method: "POST", path: "/flow_runs/\(run)/input", times: 1, answer: .status(409))
                api.script(path: "/flow_runs/\(run)/input/*", answer: .status(200, body: "another's"))
            }
            api.onRequest { request in
                guard request.body["state"]?["name"] == "Submitting", api.stateHistory(of: run).count == 2 else {
                    return nil
                }
                // The run shows the claim of the other worker, which does not advance the run any further.
                api.setState(of: run, to: .pending)
                return .status(503)
            }
            try await withWorker(api) { subject in
                if isOurs {
                    try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                    #expect(subject.backend.started == [run])
                } else {
                    try await eventually("the worker drops the run") {
                        subject.log.contains("another worker has claimed it")
                    }
                    #expect(subject.backend.started.isEmpty)
                }
            }
        }
    }

    @Test(
        "a claim that overwrote the end of another worker's run is undone, with and without that worker's mark",
        arguments: [true, false])
    func writtenOverTheEnd(hasMark: Bool) async throws {
        try await withPool { api, deployment in
            try await announceAnotherWorker(api)
            let run = api.scheduleRun(deployment: deployment)
            if hasMark {
                api.script(method: "POST", path: "/flow_runs/\(run)/input", answer: .status(409))
                api.script(path: "/flow_runs/\(run)/input/*", answer: .status(200, body: "another's"))
            }
            let history: JSONValue = [
                ["id": UUID().jsonValue, "type": "PENDING", "name": "Pending", "timestamp": "2026-01-01T00:00:00Z"],
                [
                    "id": UUID().jsonValue, "type": "COMPLETED", "name": "Well done",
                    "timestamp": "2026-01-01T00:00:01Z", "message": "at last",
                    "state_details": [:],
                ],
            ]
            api.script(path: "/flow_run_states/*", answer: .status(200, body: history))
            try await withWorker(api) { subject in
                try await api.waitUntil("the end of the run is restored") { $0.run(run)?.stateName == "Well done" }
                #expect(api.run(run)?.state?.message == "at last")
                #expect(subject.backend.started.isEmpty)
            }
        }
    }

    @Test("a run whose claim the API temporarily refuses stays scheduled for the next poll")
    func tooManyRequests() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            api.script(
                method: "POST", path: "/flow_runs/\(run)/set_state", times: 3,
                answer: .tooManyRequests(retryAfter: 1))
            try await withWorker(api, retryPolicy: RetryPolicy(maxRetries: 0), serve: { $0.limit = 1 }) { subject in
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                #expect(subject.backend.started == [run])
                #expect(subject.log.contains("could not be claimed, it stays scheduled"))
            }
        }
    }

    @Test("a run that several polls return is claimed once")
    func returnedTwice() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let gate = Gate()
            api.script(method: "POST", path: "/flow_runs/\(run)/set_state", times: 1, answer: .hold(gate))
            // The long timeout prevents a repetition of the claim while the first one is held back.
            try await withWorker(api, requestTimeout: .seconds(60)) { subject in
                try await api.waitUntil("the pool is polled several times during the claim") {
                    $0.requests("POST", "*/get_scheduled_flow_runs").count >= 4
                }
                gate.open()
                try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                #expect(claims(api, of: run).count == 1)
                #expect(subject.backend.started == [run])
            }
        }
    }

    @Test("a run that has ended is not started again by a late answer to a poll")
    func stalePoll() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let claim = Gate()
            api.script(method: "POST", path: "/flow_runs/\(run)/set_state", times: 1, answer: .hold(claim))
            let backend = FakeBackend {
                $0.immediateEnd = { job in
                    api.setState(of: job.flowRunID, to: .completed)
                    return .reported("COMPLETED")
                }
            }
            // The long timeout prevents repeated requests while the claim and a poll are held back.
            try await withWorker(api, backend: backend, requestTimeout: .seconds(60)) { subject in
                try await api.waitUntil("the run is being claimed") { !claims($0.requests, of: run).isEmpty }
                // The answer shows the run as scheduled, and arrives after the run has ended.
                let late = Gate()
                let stale: JSONValue = [
                    ["work_pool_id": "x", "work_queue_id": "y", "flow_run": api.flowRun(run)]
                ]
                let slow = api.script(
                    method: "POST", path: "*/get_scheduled_flow_runs", times: 1,
                    answer: .hold(late, then: .status(200, body: stale)))
                try await eventually("the late poll is under way") { slow.uses == 1 }
                claim.open()
                try await eventually("the run has ended") { subject.worker.registry.count == 0 }
                let polls = api.requests("POST", "*/get_scheduled_flow_runs").count
                late.open()
                try await api.waitUntil("other polls follow the late poll") {
                    $0.requests("POST", "*/get_scheduled_flow_runs").count >= polls + 2
                }
                #expect(claims(api, of: run).count == 1)
                #expect(backend.started == [run])
                #expect(subject.worker.registry.count == 0)
            }
        }
    }

    private func claims(_ requests: [RecordedRequest], of run: String) -> [RecordedRequest] {
        requests.filter { $0.path == "/flow_runs/\(run)/set_state" }
    }
}
