import FoundationEssentials
import HTTPTransport
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Requests to an API that fails")
struct RetryTests {
    @Test("temporary failures are retried until the API answers", arguments: [408, 429, 502, 503])
    func retried(status: Int) async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            api.script(times: 3, answer: .status(status))
            try await withClient(of: api.url) { client, pauses in
                let pool = try await client.readWorkPool(named: "p")
                #expect(pool.name == "p")
                #expect(pauses.seconds == [2, 4, 8])
            }
        }
    }

    @Test("only a persistent request is repeated to a broken server", arguments: [500, 504])
    func brokenServer(status: Int) async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            api.script(times: 12, answer: .status(status, body: ["detail": "broken"]))
            try await withClient(of: api.url) { client, pauses in
                let error = await apiError { _ = try await client.send(.read) }
                #expect(error?.status == status)
                #expect(error?.description == "GET /work_pools/p: the API answered \(status): broken")
                #expect(error?.mayHaveBeenApplied == true)
                #expect(pauses.all.isEmpty)
                _ = try await client.send(.read, effort: .persistent)
                #expect(pauses.seconds == [2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60])
            }
        }
    }

    @Test("extra codes in the configuration are also retried")
    func extraCodes() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            api.script(times: 2, answer: .status(500))
            try await withClient(of: api.url, configure: { $0.retryPolicy.extraCodes = [500] }) { client, pauses in
                _ = try await client.send(.read)
                #expect(pauses.all.count == 2)
            }
        }
    }

    @Test("attempts are limited, and zero retries mean a single attempt", arguments: [0, 2])
    func limited(maxRetries: Int) async throws {
        try await withFakePrefectAPI { api in
            let script = api.script(answer: .databaseLocked)
            try await withClient(of: api.url, configure: { $0.retryPolicy.maxRetries = maxRetries }) { client, _ in
                let error = await apiError { _ = try await client.send(.read) }
                #expect(error?.status == 503)
                #expect(script.uses == maxRetries + 1)
            }
        }
    }

    @Test("Retry-After is kept, in seconds and as a date")
    func retryAfter() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            api.script(times: 1, answer: .tooManyRequests(retryAfter: 17))
            let past: [(name: String, value: String)] = [("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")]
            api.script(times: 1, answer: .status(503, headers: past))
            try await withClient(of: api.url) { client, pauses in
                _ = try await client.send(.read)
                // A date in the past causes no pause.
                #expect(pauses.seconds == [17])
            }
        }
    }

    @Test("the Retry-After of a request with effort once is limited")
    func boundedRetryAfter() async throws {
        try await withFakePrefectAPI { api in
            api.script(answer: .tooManyRequests(retryAfter: 1_000_000))
            try await withClient(of: api.url) { client, _ in
                let error = await apiError { _ = try await client.send(.read, effort: .once) }
                #expect(error?.retryAfter == .seconds(600))
            }
        }
    }

    @Test("a request waits for the end of maintenance without a limit of attempts")
    func maintenance() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            let headers: [(name: String, value: String)] = [("Prefect-Maintenance", "true"), ("Retry-After", "3")]
            api.script(times: 40, answer: .status(503, headers: headers))
            try await withClient(of: api.url, configure: { $0.retryPolicy.maxRetries = 0 }) { client, pauses in
                _ = try await client.send(.read)
                #expect(pauses.seconds == Array(repeating: 3, count: 40))
                #expect(client.maintenanceUntil != nil)
            }
        }
    }

    static let brokenAnswers: [(String, Fault)] = [
        ("closed", .closeConnection), ("reset", .reset), ("half-closed", .halfClose), ("no HTTP", .garbage()),
        ("cut off", .truncatedBody), ("binary", .garbage([0, 255, 1, 2])),
    ]

    @Test("a request with an incomplete answer is repeated", arguments: brokenAnswers.indices)
    func broken(index: Int) async throws {
        let (what, fault) = Self.brokenAnswers[index]
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            api.script(times: 2, answer: fault)
            try await withClient(of: api.url) { client, pauses in
                let pool = try await client.readWorkPool(named: "p")
                #expect(pool.name == "p", "\(what)")
                #expect(pauses.all.count <= 2)
            }
        }
    }

    @Test("a request without an answer is repeated after the timeout")
    func silent() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            api.script(times: 1, answer: .hang)
            try await withClient(of: api.url, configure: { $0.requestTimeout = .seconds(2) }) { client, pauses in
                _ = try await client.readWorkPool(named: "p")
                #expect(pauses.seconds.first == 2)
            }
        }
    }

    @Test("an answer that arrives slowly is read")
    func slow() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            api.script(answer: .slowBody(chunk: 100, every: .milliseconds(5)))
            try await withClient(of: api.url, configure: { $0.requestTimeout = .seconds(2) }) { client, _ in
                let pool = try await client.readWorkPool(named: "p")
                #expect(pool.name == "p")
            }
        }
    }

    @Test("a request to an unreachable API is repeated, and was not applied")
    func away() async throws {
        try await withFakePrefectAPI { api in
            await api.goOffline()
            try await withClient(of: api.url) { client, pauses in
                let error = await apiError { _ = try await client.send(.change) }
                #expect(error?.mayHaveBeenApplied == false)
                #expect(error?.isTransient == true)
                #expect(error?.status == nil)
                #expect(pauses.seconds == [2, 4, 8, 16, 32])
            }
        }
    }

    @Test("a request whose CSRF token could not be fetched was not applied")
    func tokenNotFetched() async throws {
        try await withFakePrefectAPI { api in
            api.script(path: "/csrf-token", answer: .closeConnection)
            try await withClient(of: api.url, configure: { $0.csrfEnabled = true }) { client, _ in
                let error = await apiError { _ = try await client.send(.change, effort: .once) }
                #expect(error != nil)
                #expect(error?.mayHaveBeenApplied == false)
            }
        }
    }

    @Test("the error for an answer that is not JSON names the setting of the URL")
    func notJSON() async throws {
        try await withFakePrefectAPI { api in
            let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"
            api.script(answer: .raw(Array(page.utf8)))
            try await withClient(of: api.url) { client, _ in
                let error = await apiError { _ = try await client.readWorkPool(named: "p") }
                #expect(error?.description.contains("is a web page, not Prefect's; PREFECT_API_URL must be") == true)
                #expect(error?.description.contains("\n") == false)
            }
        }
    }

    @Test("the error for JSON of another shape names the invalid member")
    func otherShape() async throws {
        try await withFakePrefectAPI { api in
            api.script(answer: .status(200, body: ["id": UUID().jsonValue, "name": 7]))
            try await withClient(of: api.url) { client, _ in
                let error = await apiError { _ = try await client.readWorkPool(named: "p") }
                #expect(error?.description.contains("'name'") == true)
            }
        }
    }

    @Test("cancellation ends a pause between attempts, and an attempt")
    func cancelled() async throws {
        try await withFakePrefectAPI { api in
            api.script(path: "/work_pools/p", answer: .databaseLocked)
            api.script(path: "/work_pools/hangs", answer: .hang)
            let isPausing = Gate()
            let sleep: @Sendable (Duration) async throws -> Void = { _ in
                isPausing.open()
                try await Task.sleep(for: .seconds(600))
            }
            try await withClient(of: api.url, sleep: sleep) { client, _ in
                await withTaskGroup(of: Bool.self) { group in
                    for name in ["p", "hangs"] {
                        group.addTask {
                            do {
                                _ = try await client.readWorkPool(named: name)
                                return false
                            } catch {
                                return error is CancellationError
                            }
                        }
                    }
                    await isPausing.wait()
                    try? await api.waitUntil("both requests have arrived") { $0.requests.count >= 2 }
                    group.cancelAll()
                    for await isCancellation in group { #expect(isCancellation) }
                }
            }
        }
    }

    @Test("an error text is one line without credentials")
    func noSecrets() async throws {
        try await withFakePrefectAPI { api in
            api.script(times: 1, answer: .status(401, body: ["detail": "line one\nline two"]))
            api.script(times: 1, answer: .closeConnection)
            let url = api.url.replacing("http://", with: "http://user:topsecret1@")
            let configure: (inout APIClient.Configuration) -> Void = {
                $0.authorization = Secret("Bearer topsecret2")
                $0.customHeaders = [("X-Key", "topsecret3")]
                $0.retryPolicy.maxRetries = 0
            }
            try await withClient(of: url, configure: configure) { client, _ in
                for _ in 1...2 {
                    let error = await apiError {
                        let query = [(name: "token", value: "topsecret4")]
                        _ = try await client.send(APIRequest(.get, ["x"], query: query))
                    }
                    let text = String(describing: error) + (error?.description ?? "")
                    #expect(error != nil)
                    #expect(!text.contains("topsecret"))
                    #expect(error?.description.contains("\n") == false)
                }
                #expect(!String(describing: client.configuration.authorization).contains("topsecret"))
            }
        }
    }
}
