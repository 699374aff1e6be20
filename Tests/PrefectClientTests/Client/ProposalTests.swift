import FoundationEssentials
import HTTPTransport
import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Proposing a state")
struct ProposalTests {
    private func withRun<Result: Sendable>(
        configure: (inout APIClient.Configuration) -> Void = { _ in },
        _ body: (FakePrefectAPI, UUID, APIClient, Pauses) async throws -> Result
    ) async throws -> Result {
        try await withFakePrefectAPI { api in
            let deployment = api.addDeployment(name: "d", pool: api.addPool(name: "p"))
            let run = try UUID(id: api.scheduleRun(deployment: deployment))
            return try await withClient(of: api.url, configure: configure) { client, pauses in
                try await body(api, run, client, pauses)
            }
        }
    }

    private func type(_ outcome: ProposalOutcome) -> String {
        switch outcome {
        case .accepted(let state): "accepted \(state?.type.rawValue ?? "")"
        case .rejected(let state, _): "rejected \(state?.type.rawValue ?? "")"
        case .aborted: "aborted"
        }
    }

    @Test("a proposal names its run and its transition, and leaves the rest to the API")
    func accepted() async throws {
        try await withRun { api, run, client, _ in
            let outcome = try await client.propose(.pending, forFlowRun: run)
            #expect(type(outcome) == "accepted PENDING")
            let body = try #require(api.requests("POST", "*/set_state").first?.body)
            #expect(body["force"] == false)
            #expect(body["state"]?["name"] == "Pending")
            #expect(body["state"]?["state_details"]?["flow_run_id"]?.stringValue == run.text)
            #expect(body["state"]?["state_details"]?["deferred"] == .null)
            let read = try await client.readFlowRun(id: run)
            #expect(read.state?.transitionID == body["state"]?["state_details"]?["transition_id"]?.stringValue)
        }
    }

    static let lost: [(String, Fault)] = [
        ("closed", .closeConnection), ("reset", .reset), ("no HTTP", .garbage()), ("cut off", .truncatedBody),
        ("gateway", .status(502)), ("busy", .status(503)),
    ]

    @Test("a proposal that was applied but whose answer was lost counts as accepted", arguments: lost.indices)
    func lostAnswer(index: Int) async throws {
        try await withRun { api, run, client, _ in
            api.script(method: "POST", path: "*/set_state", times: 1, answer: .applyThen(Self.lost[index].1))
            let outcome = try await client.propose(.pending, forFlowRun: run)
            #expect(type(outcome) == "accepted PENDING")
            #expect(api.stateHistory(of: run.text) == ["Scheduled", "Pending"])
        }
    }

    @Test("after a lost answer, a refusal without a state is checked against the run")
    func lostAnswerRefused() async throws {
        try await withRun { api, run, client, _ in
            api.script(method: "POST", path: "*/set_state", times: 1, answer: .applyThen(.closeConnection))
            let abort: JSONValue = [
                "state": nil, "status": "ABORT", "details": ["type": "abort_details", "reason": "already PENDING"],
            ]
            api.script(method: "POST", path: "*/set_state", times: 1, answer: .status(200, body: abort))
            let outcome = try await client.propose(.pending, forFlowRun: run)
            #expect(type(outcome) == "accepted PENDING")
            #expect(api.requests("GET", "/flow_runs/\(run.text)").count == 1)
        }
    }

    @Test("after a lost answer, a later transition by another client does not count as accepted")
    func overtaken() async throws {
        try await withRun { api, run, client, _ in
            api.onRequest { request in
                guard request.path.hasSuffix("set_state"), api.stateHistory(of: run.text) == ["Scheduled"] else {
                    return nil
                }
                api.setState(of: run.text, to: .running)
                return .closeConnection
            }
            let outcome = try await client.propose(.pending, forFlowRun: run)
            #expect(type(outcome) == "aborted")
        }
    }

    @Test("a proposal that must wait is repeated with the same transition id")
    func waiting() async throws {
        try await withRun { api, run, client, pauses in
            let wait: JSONValue = [
                "state": nil, "status": "WAIT", "details": ["type": "wait_details", "delay_seconds": 7, "reason": "x"],
            ]
            api.script(method: "POST", path: "*/set_state", times: 2, answer: .status(200, body: wait))
            let outcome = try await client.propose(.pending, forFlowRun: run)
            #expect(type(outcome) == "accepted PENDING")
            #expect(pauses.seconds == [7, 7])
            let ids = api.requests("POST", "*/set_state").map { $0.body["state"]?["state_details"]?["transition_id"] }
            #expect(Set(ids).count == 1)
        }
    }

    @Test(
        "a pause that the API requests is limited to an hour, and invalid JSON is refused",
        arguments: [
            ("1e300", 3600), ("-1", 0.1), ("0", 0.1), ("99999999999999999999", 3600), ("\"soon\"", 1), ("NaN", nil),
            ("Infinity", nil), ("1e999", nil),
        ] as [(String, Double?)])
    func waitingForAnything(delay: String, pause: Double?) async throws {
        try await withRun { api, run, client, pauses in
            let body = #"{"state": null, "status": "WAIT", "details": {"delay_seconds": \#(delay)}}"#
            let head = "HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\n\r\n"
            api.script(method: "POST", path: "*/set_state", times: 1, answer: .raw(Array((head + body).utf8)))
            if let pause {
                let outcome = try await client.propose(.pending, forFlowRun: run)
                #expect(type(outcome) == "accepted PENDING")
                #expect(pauses.seconds == [pause])
            } else {
                let error = await apiError { _ = try await client.propose(.pending, forFlowRun: run) }
                #expect(error?.description.contains("not valid JSON") == true)
            }
        }
    }

    @Test("a page of runs that is too large is read in halves, without a run that alone is too large")
    func largePages() async throws {
        try await withRun { api, run, client, _ in
            let ids = (0..<230).map { _ in UUID() }
            let large = ids[117]
            api.onRequest { request in
                guard request.path.hasSuffix("/flow_runs/filter") else { return nil }
                let ids = request.body["flow_runs"]?["id"]?["any_"]?.arrayValue ?? []
                guard ids.count > 50 || ids.contains(large.jsonValue) else {
                    return .status(200, body: .array(ids.map { ["id": $0, "flow_id": $0] }))
                }
                return .raw(Array("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".utf8))
            }
            let found = try await client.readFlowRuns(among: ids, inStates: [.scheduled], effort: .once)
            #expect(found.map(\.id) == ids.filter { $0 != large })
        }
    }

    @Test("a refusal contains the reason and the state of the run")
    func refused() async throws {
        try await withRun { api, run, client, _ in
            api.setState(of: run.text, to: .running)
            let aborted = try await client.propose(.pending, forFlowRun: run)
            guard case .aborted(let reason) = aborted else {
                Issue.record("\(aborted)")
                return
            }
            #expect(reason.contains("RUNNING"))
            api.setState(of: run.text, to: .cancelling)
            let rejected = try await client.propose(.crashed("x"), forFlowRun: run)
            #expect(type(rejected) == "rejected CANCELLING")
            let forced = try await client.propose(.cancelled("x"), forFlowRun: run, force: true)
            #expect(type(forced) == "accepted CANCELLED")
            let missing = await apiError {
                _ = try await client.propose(.pending, forFlowRun: UUID())
            }
            #expect(missing?.isNotFound == true)
        }
    }

    @Test("an answer without a known outcome is an error whose proposal may have been applied")
    func nonsense() async throws {
        try await withRun { api, run, client, _ in
            api.script(method: "POST", path: "*/set_state", answer: .status(200, body: ["status": "MAYBE"]))
            let error = await apiError { _ = try await client.propose(.pending, forFlowRun: run) }
            #expect(error?.mayHaveBeenApplied == true)
            #expect(error?.isTransient == true)
        }
    }

    @Test("NUL characters in a message are replaced, because no database stores them")
    func noNUL() async throws {
        try await withRun { api, run, client, _ in
            _ = try await client.propose(.crashed("a\0b"), forFlowRun: run)
            #expect(api.run(run.text)?.state?.message == "a\u{FFFD}b")
        }
    }

    @Test("runs in the state Cancelling are found among many runs")
    func cancelling() async throws {
        try await withFakePrefectAPI { api in
            let deployment = api.addDeployment(name: "d", pool: api.addPool(name: "p"))
            let runs = api.scheduleRuns(450, deployment: deployment)
            for run in [runs[3], runs[449]] { api.setState(of: run, to: .running) }
            for run in [runs[3], runs[449]] { api.setState(of: run, to: .cancelling) }
            try await withClient(of: api.url) { client, _ in
                let found = try await client.readFlowRuns(
                    among: runs.map { try UUID(id: $0) }, inStates: [.cancelling], effort: .once)
                #expect(Set(found.map(\.id.text)) == [runs[3], runs[449]])
                #expect(api.requests("POST", "/flow_runs/filter").count == 3)
                let none = try await client.readFlowRuns(among: [], inStates: [.cancelling], effort: .once)
                #expect(none.isEmpty)
            }
        }
    }
}
