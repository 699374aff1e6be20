import HTTPTransport
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("CSRF protection")
struct CSRFTests {
    private func withProtection<Result: Sendable>(
        _ csrf: FakeAPIConfiguration.CSRF, isCloud: Bool = false,
        _ body: (FakePrefectAPI, APIClient) async throws -> Result
    ) async throws -> Result {
        var configuration = FakeAPIConfiguration()
        configuration.csrf = csrf
        return try await withFakePrefectAPI(configuration: configuration) { api in
            api.addPool(name: "p")
            let configure: (inout APIClient.Configuration) -> Void = { configuration in
                configuration = APIClient.Configuration(
                    url: configuration.url, csrfEnabled: true, isCloud: isCloud, retryPolicy: configuration.retryPolicy)
            }
            return try await withClient(of: api.url, configure: configure) { client, _ in try await body(api, client) }
        }
    }

    @Test("a token is fetched before the first change, and used for all later changes")
    func tokenIsUsed() async throws {
        try await withProtection(.enabled()) { api, client in
            _ = try await client.send(.read)
            #expect(api.requests("GET", "/csrf-token").isEmpty)
            for _ in 1...3 { _ = try await client.send(.change) }
            let tokens = api.requests("GET", "/csrf-token")
            #expect(tokens.count == 1)
            let changes = api.requests("PATCH", "/work_pools/p")
            #expect(Set(changes.map { $0.header("Prefect-Csrf-Token") }).count == 1)
            #expect(changes.allSatisfy { $0.header("Prefect-Csrf-Client") == tokens[0].query["client"] })
            #expect(changes.map(\.status) == [204, 204, 204])
        }
    }

    @Test("requests that begin at the same time share one token")
    func shared() async throws {
        try await withProtection(.enabled()) { api, client in
            // Long enough for all requests to begin.
            api.script(path: "/csrf-token", answer: .delay(.seconds(1)))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...20 { group.addTask { _ = try await client.send(.change) } }
                try await group.waitForAll()
            }
            #expect(api.requests("GET", "/csrf-token").count == 1)
        }
    }

    @Test(
        "a server without protection is asked for a token once",
        arguments: [FakeAPIConfiguration.CSRF.disabled, .absent])
    func off(csrf: FakeAPIConfiguration.CSRF) async throws {
        try await withProtection(csrf) { api, client in
            for _ in 1...3 { _ = try await client.send(.change) }
            #expect(api.requests("GET", "/csrf-token").count == 1)
            #expect(api.requests("PATCH", "*").allSatisfy { $0.header("Prefect-Csrf-Token") == nil })
        }
    }

    @Test("Prefect Cloud is never asked for a token")
    func cloud() async throws {
        try await withProtection(.disabled, isCloud: true) { api, client in
            _ = try await client.send(.change)
            #expect(api.requests("GET", "/csrf-token").isEmpty)
        }
    }

    @Test("an expired token is replaced before it is used")
    func expired() async throws {
        try await withProtection(.enabled()) { api, client in
            api.script(
                path: "/csrf-token", times: 1,
                answer: .replaceBody { body in
                    var body = body
                    body["expiration"] = "2020-01-02T03:04:05.000006Z"
                    return body
                })
            for _ in 1...3 { _ = try await client.send(.change, effort: .once) }
            #expect(api.requests("PATCH", "*").map(\.status) == [204, 204, 204])
            #expect(api.requests("GET", "/csrf-token").count == 2)
        }
    }

    @Test(
        "a refused token is replaced at once with any effort, without counting a retry",
        arguments: [RetryPolicy.Effort.once, .standard, .persistent])
    func revoked(effort: RetryPolicy.Effort) async throws {
        try await withProtection(.enabled()) { api, client in
            _ = try await client.send(.change)
            api.revokeCSRFTokens()
            _ = try await client.send(.change, effort: effort)
            #expect(api.requests("PATCH", "*").map(\.status) == [204, 403, 204])
            #expect(api.requests("GET", "/csrf-token").count == 2)
        }
    }

    @Test("requests to a server that refuses every token are limited")
    func alwaysRefused() async throws {
        try await withProtection(.enabled()) { api, client in
            let refusal = Fault.status(403, body: ["detail": "Invalid CSRF token or client identifier."])
            let script = api.script(method: "PATCH", answer: refusal)
            let error = await apiError { _ = try await client.send(.change) }
            #expect(error?.status == 403)
            #expect(script.uses == 6)
        }
    }

    @Test("protection that is enabled while the worker runs is detected")
    func switchedOn() async throws {
        try await withProtection(.disabled) { api, client in
            _ = try await client.send(.change)
            api.configure { $0.csrf = .enabled() }
            _ = try await client.send(.change, effort: .once)
            #expect(api.requests("PATCH", "*").map(\.status) == [204, 403, 204])
        }
    }

    @Test("a persistent request survives a token that became invalid during a long outage")
    func refusedAfterOutage() async throws {
        try await withProtection(.enabled()) { api, client in
            _ = try await client.send(.change)
            api.script(method: "PATCH", times: 10, answer: .status(500))
            api.revokeCSRFTokens()
            _ = try await client.send(.change, effort: .persistent)
            #expect(api.requests("PATCH", "*").last?.status == 204)
        }
    }

    @Test("a 403 with another reason does not count as a refused token")
    func forbidden() async throws {
        try await withProtection(.enabled()) { api, client in
            let script = api.script(method: "PATCH", answer: .status(403, body: ["detail": "Forbidden"]))
            let error = await apiError { _ = try await client.send(.change) }
            #expect(error?.isUnauthorized == true)
            #expect(script.uses == 1)
        }
    }
}

@Suite("Headers of a request")
struct HeaderTests {
    private func request(_ configure: (inout APIClient.Configuration) -> Void, _ attribution: APIClient.Attribution)
        async throws -> RecordedRequest
    {
        try await withFakePrefectAPI { api in
            try await withClient(of: api.url, configure: configure) { client, _ in
                _ = try? await APIClient.$caller.withValue(APIClient.Caller { attribution }) {
                    try await client.send(.change, effort: .once)
                }
            }
            return try #require(api.requests.first)
        }
    }

    @Test("every request names the client, the version and the worker")
    func standard() async throws {
        let request = try await request({ _ in }, .init(workerName: "worker 1", workerID: "id-1"))
        #expect(request.header("User-Agent") == "prefect/3.8.8 (API 0.8.4)")
        #expect(request.header("X-PREFECT-API-VERSION") == "0.8.4")
        #expect(request.header("X-Prefect-Worker-Name") == "worker 1")
        #expect(request.header("X-Prefect-Worker-Id") == "id-1")
        #expect(request.header("Content-Type") == "application/json")
        #expect(request.header("Authorization") == nil)
    }

    @Test("a worker name arrives unchanged, except for characters that would break the header")
    func names() async throws {
        let request = try await request({ _ in }, .init(workerName: "  Zoë 日本\r\nX-Evil: 1\0 "))
        #expect(request.header("X-Prefect-Worker-Name") == "Zoë 日本X-Evil: 1")
        #expect(request.header("X-Evil") == nil)
    }

    @Test("a user's headers take precedence, except over those of the protocol")
    func custom() async throws {
        let configure: (inout APIClient.Configuration) -> Void = {
            $0.authorization = Secret("Bearer ours")
            $0.customHeaders = [
                ("authorization", "Basic theirs"), ("X-Extra", "1"), ("USER-AGENT", "evil"),
                ("prefect-csrf-token", "evil"), ("Prefect-Csrf-Client", "evil"),
            ]
        }
        let request = try await request(configure, .init())
        #expect(request.headers.filter { $0.name.lowercased() == "authorization" }.map(\.value) == ["Basic theirs"])
        #expect(request.header("X-Extra") == "1")
        #expect(!request.headers.contains { $0.value == "evil" })
    }

    @Test(
        "names with special characters stay one part of the path",
        arguments: [
            "plain", "a/b", "50%", "what?", "#1", "a b", "..", ".", "%2F", "ünïcode", "a&b=c", "a+b", "tab\t",
        ])
    func paths(name: String) async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: name)
            try await withClient(of: api.url) { client, _ in
                let pool = try await client.readWorkPool(named: name)
                #expect(pool.name == name)
            }
        }
    }
}
