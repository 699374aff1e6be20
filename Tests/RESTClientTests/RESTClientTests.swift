import HTTPTransport
import PrefectJSON
import PrefectREST
import Testing
import TransportPeers

@Suite("A client of a service on a real socket", .timeLimit(.minutes(1)))
struct RESTClientTests {
    /// Runs a test with a client of a server that answers each request on any of its connections.
    private func withService(
        _ answer: @escaping @Sendable (ReceivedRequest, Connection) -> Void,
        _ body: (inout RESTClient, Log<Duration>) async throws -> Void
    ) async throws {
        let server = try ScriptedServer { connection in
            while let request = connection.readRequest() { answer(request, connection) }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let pauses = Log<Duration>()
        var client = RESTClient(
            transport: transport, baseURL: server.url + "/base", headers: ["User-Agent": "me", "Accept": "a/b"],
            sleep: { pauses.append($0) })
        try await body(&client, pauses)
        await transport.shutdown()
    }

    private func failure(_ body: () async throws -> some Any) async -> RequestFailure? {
        do {
            _ = try await body()
            return nil
        } catch {
            return error as? RequestFailure
        }
    }

    @Test("a request has path, query, headers and JSON of the client and its own")
    func request() async throws {
        let received = Log<ReceivedRequest>()
        try await withService { request, connection in
            received.append(request)
            connection.answer(body: #"{"id": 7}"#)
        } _: { client, _ in
            let request = RESTRequest(
                .post, "/jobs/\("a/b")", query: [("q", "x y")], headers: ["accept": "c/d"], body: .json(["n": 1]))
            let answer = try await client.json(request)
            #expect(answer == ["id": 7])
        }
        let request = try #require(received.all.first)
        #expect(request.method == "POST" && request.target == "/base/jobs/a%2Fb?q=x%20y")
        #expect(request.values("Accept") == ["c/d"] && request.values("User-Agent") == ["me"])
        #expect(request.value("Content-Type") == "application/json" && request.body == Array(#"{"n":1}"#.utf8))
    }

    @Test("a signer sees all headers and changes headers and query of every attempt")
    func signer() async throws {
        struct Signer: RequestSigner {
            let calls: Counter

            func sign(_ request: inout RESTRequest, for baseURL: String) async throws {
                await Task.yield()
                calls.add(1)
                request.headers["Authorization"] = "\(request.headers["User-Agent"] ?? "") \(calls.value)"
                request.query.append(("signature", String(baseURL.hasSuffix("/base"))))
            }
        }
        let received = Log<ReceivedRequest>()
        let calls = Counter()
        try await withService { request, connection in
            received.append(request)
            connection.answer(received.all.count == 1 ? "429 Busy" : "200 OK")
        } _: { client, _ in
            client.signer = Signer(calls: calls)
            client.retries = Retries(limit: 1)
            let answer = try await client.send(RESTRequest(.get, "/x"))
            #expect(answer.status == 200)
        }
        #expect(received.all.map { $0.value("Authorization") } == ["me 1", "me 2"])
        #expect(received.all.allSatisfy { $0.target == "/base/x?signature=true" })
    }

    @Test("a request that cannot be signed is not sent")
    func unsigned() async throws {
        struct Broken: RequestSigner {
            struct Problem: Error, CustomStringConvertible { var description: String { "the token file is empty" } }
            let isCancelled: Bool

            func sign(_ request: inout RESTRequest, for baseURL: String) throws {
                throw isCancelled ? CancellationError() : Problem() as any Error
            }
        }
        let received = Counter()
        try await withService { _, connection in
            received.add(1)
            connection.answer()
        } _: { client, _ in
            client.signer = Broken(isCancelled: false)
            let error = await failure { try await client.send(RESTRequest(.get, "/x")) }
            #expect(error?.kind == .notSigned && error?.mayHaveBeenApplied == false)
            #expect(error?.description == "GET /x: the token file is empty")
            client.signer = Broken(isCancelled: true)
            let cancelled = client
            await #expect(throws: CancellationError.self) { try await cancelled.open(RESTRequest(.get, "/x")) }
        }
        #expect(received.value == 0)
    }

    @Test("a refusal has the reason that the client of the service reads from it")
    func refusal() async throws {
        try await withService { _, connection in
            connection.answer("409 Conflict", headers: ["Retry-After: 4"], body: #"{"code": "Taken", "text": "no"}"#)
        } _: { client, pauses in
            client.retries = Retries(limit: 3)
            client.reason = { answer in
                let json = try? answer.json()
                return ServiceReason(code: json?["code"]?.stringValue ?? "", message: json?["text"]?.stringValue ?? "")
            }
            for attempt in [client.send, client.open] as [@Sendable (RESTRequest) async throws -> any Sendable] {
                let error = await failure { try await attempt(RESTRequest(.put, "/x", operation: "put x")) }
                #expect(error?.isConflict == true && error?.reason.code == "Taken")
                #expect(error?.retryAfter == .seconds(4) && error?.description == "put x: no")
            }
            let answer = try await client.exchange(RESTRequest(.put, "/x"))
            #expect(answer.status == 409)
            client.acceptedStatuses = [409]
            #expect(try await client.send(RESTRequest(.put, "/x")).status == 409)
            #expect(pauses.all.isEmpty)
        }
    }

    @Test("temporary failures are repeated with pauses, and Retry-After is kept")
    func retries() async throws {
        let answers = Counter()
        try await withService { _, connection in
            answers.add(1)
            switch answers.value {
            case 1: connection.answer("429 Busy", headers: ["Retry-After: 9"])
            case 2: connection.answer("408 Slow")
            default: connection.answer(body: "[]")
            }
        } _: { client, pauses in
            client.retries = Retries(limit: 2, jitterFactor: 0)
            let answer = try await client.json(RESTRequest(.get, "/x"))
            #expect(answer == [])
            #expect(pauses.all == [.seconds(9), .seconds(2)])
        }
    }

    @Test("a lost answer is repeated only if the effect may occur twice")
    func lost() async throws {
        let requests = Counter()
        try await withService { _, connection in
            requests.add(1)
            if requests.value < 3 { connection.endBothWays() } else { connection.answer("400 Bad") }
        } _: { client, pauses in
            client.retries = Retries(limit: 5, jitterFactor: 0)
            let once = await failure { try await client.send(RESTRequest(.post, "/x")) }
            #expect(once?.transportError?.kind == .receiveFailed && once?.mayHaveBeenApplied == true)
            #expect(pauses.all.isEmpty && requests.value == 1)
            client.retries.repeatsApplied = true
            let refused = await failure { try await client.send(RESTRequest(.post, "/x")) }
            // The refusal itself had no effect, but the attempt before it may have had one.
            #expect(refused?.status == 400 && refused?.mayHaveBeenApplied == true)
            #expect(pauses.all == [.seconds(1)] && requests.value == 3)
        }
    }

    @Test("the size of an answer and the time for it are limited")
    func limits() async throws {
        try await withService { request, connection in
            if request.target.hasSuffix("/silent") { return connection.waitForPeerToClose() }
            let isRefusal = request.target.hasSuffix("/refused")
            connection.answer(isRefusal ? "500 Broken" : "200 OK", body: String(repeating: "x", count: 200_000))
        } _: { client, _ in
            let large = await failure { try await client.send(RESTRequest(.get, "/x", largestAnswer: 1000)) }
            #expect(large?.isTooLarge == true && large?.isTransient == false)
            var cut = RESTRequest(.get, "/x", largestAnswer: 1000)
            cut.cutsLargeAnswer = true
            #expect(try await client.send(cut).body.count == 1000)
            let refused = try await client.exchange(RESTRequest(.get, "/refused"))
            #expect(refused.status == 500 && refused.body.count == RESTClient.largestRefusal)
            let slow = await failure {
                try await client.send(
                    RESTRequest(.get, "/silent", deadlines: Deadlines(firstByte: .milliseconds(100))))
            }
            #expect(slow?.transportError?.kind == .firstByteTimeout && slow?.isTransient == true)
        }
    }

    @Test("an opened answer is read as it arrives")
    func stream() async throws {
        let goOn = Signal()
        try await withService { _, connection in
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.chunk("first")
            goOn.wait()
            connection.chunk("second")
            connection.write("0\r\n\r\n")
        } _: { client, _ in
            var body = try await client.open(RESTRequest(.get, "/x")).body.makeAsyncIterator()
            #expect(try await body.next() == Array("first".utf8))
            goOn.set()
            #expect(try await body.next() == Array("second".utf8))
            #expect(try await body.next() == nil)
        }
    }

    @Test("a cancelled request throws a cancellation, also between two attempts")
    func cancellation() async throws {
        let asked = Signal()
        try await withService { request, connection in
            asked.set()
            if request.target.hasSuffix("/busy") {
                connection.answer("429 Busy")
            } else {
                connection.waitForPeerToClose()
            }
        } _: { client, _ in
            client.retries = Retries(limit: nil)
            client.sleep = { try await Task.sleep(for: $0 * 1000) }
            for path: RequestPath in ["/silent", "/busy"] {
                let task = Task { [client] in try await client.send(RESTRequest(.get, path)) }
                #expect(await eventually { asked.isSet })
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            }
        }
    }

    @Test("a Unix socket is used instead of the host in the URL")
    func unixSocket() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = directory.path + "/socket"
        let server = try ScriptedServer(unixSocketPath: path) { connection in
            while let request = connection.readRequest() { connection.answer(body: "\"\(request.target)\"") }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        var client = RESTClient(transport: transport, baseURL: "http://localhost")
        client.unixSocketPath = path
        #expect(try await client.json(RESTRequest(.get, "/version")) == "/version")
        await transport.shutdown()
    }
}
