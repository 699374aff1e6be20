import JSON
import Logging
import PrefectAPI
import Synchronization
import TestSupport
import Testing
import Worker

@Suite("Claiming a flow run", .serialized)
struct ClaimTests {
    private func claims(_ api: FakePrefectAPI, of run: String) -> [RecordedRequest] {
        api.requests("POST", "/flow_runs/\(run)/set_state").filter { $0.body["state"]?["name"] == "Pending" }
    }

    @Test("a run that another worker has is left to it, and its slot is freed")
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
                try await api.waitUntil("the log tells") {
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
                let waiting = try await api.wait(for: "one runs and the other waits") { state in
                    runs.contains { state.run($0)?.infrastructurePID != nil }
                        ? runs.first { state.run($0)?.stateName == "AwaitingConcurrencySlot" } : nil
                }
                #expect(subject.backend.started == runs.filter { $0 != waiting })
                try await eventually("only one is held") { subject.worker.registry.count == 1 }
            }
        }
    }

    @Test("a claim that is told to wait is made again")
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
                try await api.waitUntil("it runs") { $0.run(run)?.infrastructurePID != nil }
                #expect(script.uses == 2)
            }
        }
    }

    @Test(
        "a claim whose answer is lost is still this worker's",
        arguments: [0, 5], [Fault.closeConnection, .reset, .garbage(), .status(502), .truncatedBody])
    func lostAnswer(maxRetries: Int, fault: Fault) async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            let script = api.script(
                method: "POST", path: "/flow_runs/\(run)/set_state", times: 1, answer: .applyThen(fault))
            try await withWorker(api, retryPolicy: RetryPolicy(maxRetries: maxRetries)) { subject in
                try await api.waitUntil("it runs") { $0.run(run)?.infrastructurePID != nil }
                #expect(script.uses == 1)
                #expect(subject.backend.started == [run])
                #expect(api.stateHistory(of: run) == ["Scheduled", "Pending", "Submitting"])
            }
        }
    }

    @Test("another worker's claim is not taken for this worker's when an answer is lost")
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
                try await eventually("it was let go") { subject.log.contains("was not submitted") }
                #expect(subject.backend.started.isEmpty)
            }
        }
    }

    @Test(
        "of two workers whose claims were both accepted, the one that left its mark has the run",
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
                // The claim of the other shows in the run, though it goes no further.
                api.setState(of: run, to: .pending)
                return .status(503)
            }
            try await withWorker(api) { subject in
                if isOurs {
                    try await api.waitUntil("it runs") { $0.run(run)?.infrastructurePID != nil }
                    #expect(subject.backend.started == [run])
                } else {
                    try await eventually("it was let go") { subject.log.contains("another worker has claimed it") }
                    #expect(subject.backend.started.isEmpty)
                }
            }
        }
    }

    @Test(
        "a claim that was written over the end of a run that another worker has run is put right, with and without its mark",
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
                ["type": "PENDING", "name": "Pending", "timestamp": "2026-01-01T00:00:00Z"],
                [
                    "type": "COMPLETED", "name": "Well done", "timestamp": "2026-01-01T00:00:01Z", "message": "at last",
                    "state_details": [:],
                ],
            ]
            api.script(path: "/flow_run_states/*", answer: .status(200, body: history))
            try await withWorker(api) { subject in
                try await api.waitUntil("it has ended again") { $0.run(run)?.stateName == "Well done" }
                #expect(api.run(run)?.state?.message == "at last")
                #expect(subject.backend.started.isEmpty)
            }
        }
    }

    @Test("a claim that the API refuses for the moment leaves the run scheduled for the next poll")
    func tooManyRequests() async throws {
        try await withPool { api, deployment in
            let run = api.scheduleRun(deployment: deployment)
            api.script(
                method: "POST", path: "/flow_runs/\(run)/set_state", times: 3,
                answer: .tooManyRequests(retryAfter: 1))
            try await withWorker(api, retryPolicy: RetryPolicy(maxRetries: 0), serve: { $0.limit = 1 }) { subject in
                try await api.waitUntil("it runs") { $0.run(run)?.infrastructurePID != nil }
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
            // The claim is held back, and is not to be sent again meanwhile.
            try await withWorker(api, requestTimeout: .seconds(60)) { subject in
                try await api.waitUntil("it was polled often while it was claimed") {
                    $0.requests("POST", "*/get_scheduled_flow_runs").count >= 4
                }
                gate.open()
                try await api.waitUntil("it runs") { $0.run(run)?.infrastructurePID != nil }
                #expect(claims(api, of: run).count == 1)
                #expect(subject.backend.started == [run])
            }
        }
    }

    @Test("a poll that is answered late does not run again what has ended meanwhile")
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
            // The claim and a poll are held back, and are not to be sent again meanwhile.
            try await withWorker(api, backend: backend, requestTimeout: .seconds(60)) { subject in
                try await api.waitUntil("it is being claimed") { !claims($0.requests, of: run).isEmpty }
                // The answer is made while the run is scheduled, and arrives when it has ended.
                let late = Gate()
                let stale: JSONValue = [
                    ["work_pool_id": "x", "work_queue_id": "y", "flow_run": api.flowRun(run)]
                ]
                let slow = api.script(
                    method: "POST", path: "*/get_scheduled_flow_runs", times: 1,
                    answer: .hold(late, then: .status(200, body: stale)))
                try await eventually("the late poll is under way") { slow.uses == 1 }
                claim.open()
                try await eventually("it has ended") { subject.worker.registry.count == 0 }
                let polls = api.requests("POST", "*/get_scheduled_flow_runs").count
                late.open()
                try await api.waitUntil("others follow the late poll") {
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
