import PrefectJSON
import TestSupport
import Testing

/// Tests of each fault with a client that has only a socket.
@Suite("faults of the fake API")
struct FaultTests {
    private func ask(_ fault: Fault, times: Int? = 1) async throws -> (FakePrefectAPI, RawConnection) {
        let api = try await FakePrefectAPI.start()
        api.script(path: "/health", times: times, answer: fault)
        let socket = try await RawConnection.connect(to: api.url)
        try await socket.sendRequest("GET", "/api/health")
        return (api, socket)
    }

    @Test("without a fault the connection is kept open and used again")
    func keepAlive() async throws {
        try await withFakePrefectAPI { api in
            let socket = try await RawConnection.connect(to: api.url)
            for number in 0..<3 {
                socket.forget()
                try await socket.sendRequest("GET", "/api/health")
                #expect(try await socket.receive(until: "\r\n\r\ntrue").hasPrefix("HTTP/1.1 200 OK\r\n"))
                #expect(api.requests.last?.number == number)
            }
            #expect(api.requests.map(\.connection) == [0, 0, 0])
            #expect(api.requests.allSatisfy { $0.status == 200 && $0.isKnown })
        }
    }

    @Test("pipelined requests are answered in their order")
    func pipelining() async throws {
        try await withFakePrefectAPI { api in
            api.script(path: "/health", times: 1, answer: .delay(.milliseconds(30)))
            let socket = try await RawConnection.connect(to: api.url)
            try await socket.send(
                "GET /api/health HTTP/1.1\r\nhost: x\r\n\r\nGET /api/ready HTTP/1.1\r\nhost: x\r\n\r\n")
            let text = try await socket.receive(until: "OK\"}")
            #expect(text.contains("\r\n\r\ntrueHTTP/1.1 200 OK"))
        }
    }

    @Test("a status replaces the answer for the scripted number of times, and the request has no effect")
    func status() async throws {
        try await withFakePrefectAPI { api in
            let script = api.script(
                method: "POST", path: "/flows/*", times: 2, answer: .tooManyRequests(retryAfter: 7))
            var client = try PrefectServerClient(url: api.url)
            client.patience = .zero
            await #expect(throws: PrefectServerClient.Failure.self) {
                try await client.call("POST", "/flows/", ["name": "f"])
            }
            #expect(api.snapshot.requests("POST").map(\.status) == [429])
            client.patience = .seconds(30)
            try await client.call("POST", "/flows/", ["name": "f"])
            #expect(script.uses == 2)
            #expect(api.requests.map(\.status) == [429, 429, 201])
        }
    }

    @Test("a status carries its headers")
    func statusHeaders() async throws {
        let (api, socket) = try await ask(.status(503, headers: [(name: "Prefect-Maintenance", value: "true")]))
        #expect(try await socket.receive(until: "\r\n\r\n").contains("Prefect-Maintenance: true\r\n"))
        await api.stop()
    }

    @Test("a request can take effect although its answer is lost")
    func applyThen() async throws {
        try await withFakePrefectAPI { api in
            for fault in [Fault.closeConnection, .reset, .garbage(), .status(502)] {
                api.script(method: "POST", times: 1, answer: .applyThen(fault))
            }
            for (index, ending) in [RawConnection.Ending.closed, .reset, .closed].enumerated() {
                let socket = try await RawConnection.connect(to: api.url)
                try await socket.sendRequest("POST", "/api/flows/", body: "{\"name\":\"f\(index)\"}")
                #expect(try await socket.waitForEnding() == ending)
                #expect(!socket.text.contains("HTTP/1.1"))
            }
            let socket = try await RawConnection.connect(to: api.url)
            try await socket.sendRequest("POST", "/api/flows/", body: #"{"name":"f3"}"#)
            try await socket.receive(until: "HTTP/1.1 502")
            #expect(api.snapshot.flowNames == ["f0", "f1", "f2", "f3"])
        }
    }

    @Test("a connection can be closed, reset, or half-closed by the server")
    func endings() async throws {
        for (fault, ending) in [(Fault.closeConnection, RawConnection.Ending.closed), (.reset, .reset)] {
            let (api, socket) = try await ask(fault)
            #expect(try await socket.waitForEnding() == ending)
            #expect(socket.text.isEmpty)
            await api.stop()
        }
        let (api, socket) = try await ask(.halfClose)
        #expect(try await socket.waitForEnding() == .closed)
        try await socket.sendRequest("GET", "/api/ready")
        #expect(api.openConnections == 1)
        await api.stop()
    }

    @Test("an answer can wait for a time or for a gate")
    func waiting() async throws {
        let start = ContinuousClock.now
        let (api, socket) = try await ask(.delay(.milliseconds(50)))
        try await socket.receive(until: "true")
        #expect(ContinuousClock.now - start >= .milliseconds(50))
        await api.stop()

        let gate = Gate()
        try await withFakePrefectAPI { api in
            api.script(method: "POST", answer: .applyThen(.hold(gate)))
            let socket = try await RawConnection.connect(to: api.url)
            try await socket.sendRequest("POST", "/api/flows/", body: #"{"name":"f"}"#)
            try await api.waitUntil("the flow exists") { $0.flowNames == ["f"] }
            #expect(socket.text.isEmpty && api.requests.map(\.status) == [nil])
            gate.open()
            try await socket.receive(until: "\"name\":\"f\"")
        }
    }

    @Test("a body can be slow, truncated, or replaced")
    func bodies() async throws {
        var (api, socket) = try await ask(.slowBody(chunk: 1, every: .milliseconds(5)))
        try await socket.receive(until: "\r\n\r\nt")
        #expect(try await socket.receive(until: "true").contains("content-length: 4\r\n"))
        await api.stop()

        (api, socket) = try await ask(.truncatedBody)
        #expect(try await socket.waitForEnding() == .closed)
        #expect(socket.text.hasSuffix("\r\n\r\ntr"))
        #expect(socket.text.contains("content-length: 4\r\n"))
        await api.stop()

        (api, socket) = try await ask(.replaceBody { ["was": $0] })
        try await socket.receive(until: #"{"was":true}"#)
        await api.stop()
    }

    @Test("garbage ends the connection, and raw bytes do not")
    func bytes() async throws {
        var (api, socket) = try await ask(.garbage(Array("junk".utf8)))
        #expect(try await socket.waitForEnding() == .closed)
        #expect(socket.text == "junk")
        await api.stop()

        (api, socket) = try await ask(.raw(Array("HTTP/1.1 299 Odd\r\ncontent-length: 0\r\n\r\n".utf8)))
        try await socket.receive(until: "299 Odd")
        try await socket.sendRequest("GET", "/api/health")
        try await socket.receive(until: "true")
        await api.stop()
    }

    @Test("a hanging request ends when the server stops")
    func hang() async throws {
        let (api, socket) = try await ask(.hang)
        try await api.waitUntil("the request has arrived") { $0.requests.count == 1 }
        #expect(socket.text.isEmpty && socket.ending == nil)
        await api.stop()
        #expect(try await socket.waitForEnding() == .reset)
    }

    @Test("the hook runs before the scripts and receives the whole request")
    func hook() async throws {
        try await withFakePrefectAPI { api in
            api.script(answer: .status(500))
            api.onRequest { request in
                request.header("x-marked") == "yes" && request.query["a"] == "b c" ? .status(418) : nil
            }
            var client = try PrefectServerClient(url: api.url)
            #expect(try await client.send("GET", "/health?a=b%20c").status == 500)
            client.headers = [(name: "X-Marked", value: "yes")]
            #expect(try await client.send("GET", "/health?a=b%20c").status == 418)
            api.onRequest(nil)
            api.endScripts()
            #expect(try await client.send("GET", "/health").status == 200)
        }
    }

    @Test("a server that is offline refuses connections, and is online again with its state")
    func offline() async throws {
        try await withFakePrefectAPI { api in
            let pool = api.addPool(name: "p")
            let socket = try await RawConnection.connect(to: api.url)
            try await socket.sendRequest("GET", "/api/health")
            try await socket.receive(until: "true")
            await api.goOffline()
            #expect(try await socket.waitForEnding() == .reset)
            await #expect(throws: (any Error).self) { try await RawConnection.connect(to: api.url) }
            try await api.comeBack()
            let client = try PrefectServerClient(url: api.url)
            #expect(try await client.pool("p")["id"]?.stringValue == pool.id)
        }
    }

    @Test("a client can wait for 100 Continue before it sends a large body")
    func expectContinue() async throws {
        try await withFakePrefectAPI { api in
            let socket = try await RawConnection.connect(to: api.url)
            try await socket.send(
                "POST /api/flows/ HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 12\r\n\r\n")
            try await socket.receive(until: "100 Continue")
            try await socket.send(#"{"name":"f"}"#)
            try await socket.receive(until: "201 Created")
        }
    }
}

extension FakeAPISnapshot {
    fileprivate var flowNames: [String] { flows.map(\.name) }
}
