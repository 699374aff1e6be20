import FoundationEssentials
import PrefectJSON
import Testing

@testable import TestSupport

/// Tests of the features that only the fake has, and of behaviour that needs no comparison with a real server.
@Suite("the fake API")
struct FakeAPITests {
    @Test("a client reads the objects that a test has created")
    func setUp() async throws {
        try await withFakePrefectAPI { api in
            let pool = api.addPool(name: "p", type: "docker", template: [:], concurrencyLimit: 4)
            let deployment = api.addDeployment(name: "d", pool: pool, queue: "q", jobVariables: ["a": 1], tags: ["t"])
            let due = Date(timeIntervalSince1970: 1_700_000_000)
            let run = api.scheduleRun(deployment: deployment, at: due, jobVariables: ["b": 2], name: "r")
            let client = try PrefectServerClient(url: api.url)
            #expect(try await client.pool("p")["type"] == "docker")
            let answer = try await client.flowRun(run)
            #expect(answer["next_scheduled_start_time"] == "2023-11-14T22:13:20.000000Z")
            #expect(answer["work_queue_name"] == "q")
            #expect(answer["job_variables"] == ["b": 2])
            #expect(answer["tags"] == ["t"])
            #expect(api.flowRun(run)["name"] == "r")
            #expect(api.flowRun("none") == .null)
            try await client.setState(of: run, to: "PENDING")
            #expect(api.stateHistory(of: run) == ["Scheduled", "Pending"])
            #expect(try await client.stateHistory(of: run) == ["Scheduled", "Pending"])
            #expect(api.setState(of: run, to: .running, force: false))
            #expect(!api.setState(of: run, to: .pending, force: false))
            api.removeDeploymentAlone(deployment)
            let other = api.scheduleRun(deployment: deployment)
            #expect(!api.setState(of: other, to: .pending, force: false))
        }
    }

    @Test("blocks are read with and without their secrets, and variables with their values")
    func blocks() async throws {
        try await withFakePrefectAPI { api in
            let id = api.addBlock(type: "secret", name: "s", data: ["value": "abc"])
            api.addVariable(name: "v", value: [1, "x"])
            let client = try PrefectServerClient(url: api.url)
            let path = "/block_types/slug/secret/block_documents/name/s"
            #expect(try await client.call("GET", path + "?include_secrets=true")["data"] == ["value": "abc"])
            #expect(try await client.call("GET", path)["data"] == ["value": "********"])
            #expect(try await client.call("GET", "/block_documents/\(id)?include_secrets=true")["name"] == "s")
            #expect(try await client.call("GET", "/variables/name/v")["value"] == [1, "x"])
        }
    }

    @Test("with CSRF protection only requests with a valid token make changes")
    func csrf() async throws {
        var configuration = FakeAPIConfiguration()
        configuration.csrf = .enabled()
        try await withFakePrefectAPI(configuration: configuration) { api in
            var client = try PrefectServerClient(url: api.url)
            #expect(try await client.send("POST", "/flows/", ["name": "f"]).status == 403)
            let token = try await client.call("GET", "/csrf-token?client=me")
            let expiry = try #require(token["expiration"]?.stringValue.flatMap(WireTime.init(parsing:)))
            #expect(expiry.date > Date())
            client.headers = [
                (name: "Prefect-Csrf-Token", value: try #require(token["token"]?.stringValue)),
                (name: "Prefect-Csrf-Client", value: "me"),
            ]
            #expect(try await client.send("POST", "/flows/", ["name": "f"]).status == 201)
            api.revokeCSRFTokens()
            let refused = try await client.send("POST", "/flows/", ["name": "f"])
            #expect(refused.status == 403)
            #expect(refused.body["detail"]?.stringValue?.contains("Invalid CSRF token") == true)
            #expect(try await client.send("GET", "/health").status == 200)
            api.configure { $0.csrf = .absent }
            #expect(try await client.send("GET", "/csrf-token?client=me").status == 404)
        }
    }

    @Test("a heartbeat to the fake Cloud returns the bare id of the worker, the same each time")
    func cloudHeartbeat() async throws {
        try await withFakePrefectAPI { api in
            api.configure { $0.isCloud = true }
            api.addPool(name: "p")
            let client = try PrefectServerClient(url: api.url)
            let beat: JSONValue = ["name": "w", "return_id": true]
            let first = try await client.send("POST", "/work_pools/p/workers/heartbeat", beat)
            #expect(first.status == 200)
            #expect(UUID(uuidString: String(decoding: first.rawBody, as: UTF8.self)) != nil)
            #expect(try await client.send("POST", "/work_pools/p/workers/heartbeat", beat).rawBody == first.rawBody)
            #expect(try await client.send("POST", "/work_pools/p/workers/heartbeat", ["name": "w"]).status == 204)
            #expect(api.pool("p")?.workers.map(\.heartbeats) == [3])
        }
    }

    @Test("a request without the authorization gets a 401, and health needs no authorization")
    func authorization() async throws {
        try await withFakePrefectAPI { api in
            api.configure { $0.authorization = "Bearer key" }
            var client = try PrefectServerClient(url: api.url)
            #expect(try await client.send("GET", "/admin/version").status == 401)
            #expect(try await client.send("GET", "/health").status == 200)
            client.headers = [(name: "Authorization", value: "Bearer key")]
            #expect(try await client.send("GET", "/admin/version").status == 200)
        }
    }

    @Test("a wait ends with the request that it waits for")
    func waitUntil() async throws {
        try await withFakePrefectAPI { api in
            async let waiting: Void = api.waitUntil("the flow is requested") { !$0.requests("POST", "/fl*").isEmpty }
            let client = try PrefectServerClient(url: api.url)
            try await client.call("POST", "/flows/", ["name": "f"])
            try await waiting
            let number = try await api.wait(for: "a request") { $0.requests.first?.number }
            #expect(number == 0)
        }
    }

    @Test("the error of a failed wait names the expected event, the runs and the requests")
    func waitInVain() async throws {
        try await withFakePrefectAPI { api in
            api.scheduleRun(deployment: api.addDeployment(name: "d"))
            _ = try await PrefectServerClient(url: api.url).send("GET", "/health")
            let error = await #expect(throws: WaitTimeout.self) {
                try await api.waitUntil("the run crashed", timeout: .milliseconds(20)) { _ in false }
            }
            let message = "\(try #require(error))"
            for part in ["the run crashed", "1 Scheduled", "GET /health 200"] { #expect(message.contains(part)) }
        }
    }

    @Test("a filter or a route that the fake does not know is refused")
    func unknownFilter() async throws {
        try await withFakePrefectAPI { api in
            let client = try PrefectServerClient(url: api.url)
            let filter: JSONValue = ["flow_runs": ["start_time": ["is_null_": true]]]
            #expect(try await client.send("POST", "/flow_runs/filter", filter).status == 501)
            #expect(try await client.send("GET", "/nothing").status == 404)
            #expect(api.requests.map(\.isKnown) == [true, false])
        }
    }

    @Test("a run that fails with remaining retries is scheduled again")
    func retries() async throws {
        try await withFakePrefectAPI { api in
            let run = api.scheduleRun(deployment: api.addDeployment(name: "d"))
            let client = try PrefectServerClient(url: api.url)
            try await client.call("PATCH", "/flow_runs/\(run)", ["empirical_policy": ["retries": 1]])
            api.setState(of: run, to: .running, force: false)
            #expect(try await client.setState(of: run, to: "FAILED")["status"] == "REJECT")
            #expect(api.run(run)?.stateName == "AwaitingRetry")
            api.setState(of: run, to: .running)
            #expect(try await client.setState(of: run, to: "FAILED")["status"] == "ACCEPT")
        }
    }

    @Test("the fake uses the clock of the test, if the test provides one")
    func ownClock() async throws {
        try await withFakePrefectAPI { api in
            api.configure { $0.now = { Date(timeIntervalSince1970: 0) } }
            let run = api.scheduleRun(
                deployment: api.addDeployment(name: "d"), at: Date(timeIntervalSince1970: 90))
            let client = try PrefectServerClient(url: api.url)
            let answer = try await client.setState(of: run, to: "RUNNING")
            #expect(answer["status"] == "WAIT")
            #expect(answer["details"]?["delay_seconds"] == 90)
        }
    }

    @Test("one poll returns ten thousand due runs within 40 seconds", .timeLimit(.minutes(5)))
    func manyRuns() async throws {
        try await withFakePrefectAPI { api in
            api.configure { $0.pageLimit = 10_000 }
            let pool = api.addPool(name: "p")
            let ids = api.scheduleRuns(10_000, deployment: api.addDeployment(name: "d", pool: pool))
            var client = try PrefectServerClient(url: api.url)
            client.timeout = .seconds(60)
            let start = ContinuousClock.now
            let answer = try await client.send("POST", "/work_pools/p/get_scheduled_flow_runs", ["limit": 10_000])
            let elapsed = ContinuousClock.now - start
            #expect(answer.status == 200)
            let text = String(decoding: answer.rawBody, as: UTF8.self)
            #expect(text.utf8.count > 10_000 * 1000)
            #expect(text.contains("\"id\":\"\(ids[0])\"") && text.contains("\"id\":\"\(ids[9999])\""))
            #expect(elapsed < .seconds(40))
        }
    }

    @Test(
        "times are read and written without loss",
        arguments: [
            ("2026-11-21 06:51:15.741507+00:00", "2026-11-21T06:51:15.741507Z"),
            ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000000Z"),
            ("2000-03-01T00:00:00.5+02:00", "2000-02-29T22:00:00.500000Z"),
            ("1969-12-31 23:59:59.000001+00:00", "1969-12-31T23:59:59.000001Z"),
            ("2100-01-01T00:00:00.123456789-05:30", "2100-01-01T05:30:00.123456Z"),
        ])
    func times(text: String, written: String) throws {
        #expect(try #require(WireTime(parsing: text)).description == written)
    }

    @Test(
        "text that is not a time is refused",
        arguments: ["", "soon", "2026-11-21", "2026-13-01T00:00:00Z", "2026-11-21T06:51:15x"])
    func noTimes(text: String) {
        #expect(WireTime(parsing: text) == nil)
    }

    @Test("wildcards of a pattern match any text")
    func patterns() {
        func matches(_ pattern: String, _ path: String) -> Bool {
            RequestPattern(path: pattern).matches(method: "GET", path: path)
        }
        #expect(matches("/a/b", "/a/b"))
        #expect(!matches("/a/b", "/a/bc"))
        #expect(matches("/a/*/c", "/a/x/y/c"))
        #expect(!matches("/a/*/c", "/a/x/y/d"))
        #expect(matches("*", ""))
        #expect(matches("*/set_state", "/flow_runs/1/set_state"))
        #expect(!matches("/ab*ba", "/aba"))
        #expect(RequestPattern(method: "post").matches(method: "POST", path: "/x"))
        #expect(!RequestPattern(method: "POST").matches(method: "GET", path: "/x"))
    }
}
