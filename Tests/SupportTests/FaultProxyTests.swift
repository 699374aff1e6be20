import PrefectJSON
import Testing

@testable import TestSupport

/// Tests of the proxy between a bare socket and a fake API.
@Suite("the fault proxy")
struct FaultProxyTests {
    private func withProxy(_ body: (FakePrefectAPI, FaultProxy) async throws -> Void) async throws {
        try await withFakePrefectAPI { api in
            try await withFaultProxy(to: api.url) { proxy in try await body(api, proxy) }
        }
    }

    private func ask(_ socket: RawConnection, _ path: String = "/api/health") async throws {
        try await socket.sendRequest("GET", path)
    }

    @Test("the proxy forwards and counts requests")
    func pass() async throws {
        try await withProxy { api, proxy in
            let client = try PrefectServerClient(url: proxy.url)
            let flow = try await client.createFlow(name: "f")
            #expect(api.snapshot.flows.map(\.id) == [flow])
            let socket = try await RawConnection.connect(to: proxy.url)
            for _ in 0..<2 {
                socket.forget()
                try await ask(socket, "/api/health?x=1")
                try await socket.receive(until: "true")
            }
            #expect(proxy.connectionCount == 2)
            #expect(
                proxy.requests.map(\.description) == [
                    "POST /api/flows/", "GET /api/health?x=1", "GET /api/health?x=1",
                ])
            #expect(proxy.requests("GET", "/api/health").map(\.connection) == [1, 1])
            await socket.close()
            try await proxy.waitUntil("all connections of the proxy are closed") { $0.openConnections == 0 }
            try await api.waitUntil("all connections of the server are closed") { _ in api.openConnections == 0 }
        }
    }

    @Test("latency delays all bytes and keeps their order")
    func latency() async throws {
        try await withProxy { _, proxy in
            try await proxy.setMode(.latency(.milliseconds(40)))
            let socket = try await RawConnection.connect(to: proxy.url)
            let start = ContinuousClock.now
            for part in ["GET /api/hea", "lth HTTP/1.1\r\n", "host: x\r\n", "\r\n"] { try await socket.send(part) }
            try await socket.receive(until: "true")
            #expect(ContinuousClock.now - start >= .milliseconds(80))
        }
    }

    @Test("the proxy refuses connections, and accepts them again on the same port")
    func refuse() async throws {
        try await withProxy { _, proxy in
            let socket = try await RawConnection.connect(to: proxy.url)
            try await ask(socket)
            try await socket.receive(until: "true")
            try await proxy.setMode(.refuse)
            await #expect(throws: (any Error).self) { try await RawConnection.connect(to: proxy.url) }
            socket.forget()
            try await ask(socket)
            try await socket.receive(until: "true")
            try await proxy.setMode(.pass)
            let other = try await RawConnection.connect(to: proxy.url)
            try await ask(other)
            try await other.receive(until: "true")
        }
    }

    @Test("the proxy resets the open connections")
    func reset() async throws {
        try await withProxy { _, proxy in
            let socket = try await RawConnection.connect(to: proxy.url)
            try await ask(socket)
            try await socket.receive(until: "true")
            await proxy.resetConnections()
            #expect(try await socket.waitForEnding() == .reset)
        }
    }

    @Test("a black hole swallows answers, or requests and answers, until the mode changes")
    func blackHole() async throws {
        try await withProxy { api, proxy in
            let socket = try await RawConnection.connect(to: proxy.url)
            try await proxy.setMode(.blackHole(.answers))
            try await ask(socket)
            try await proxy.waitUntil("the answer vanished") { $0.swallowedBytes > 0 }
            #expect(api.requests.map(\.status) == [200])
            try await proxy.setMode(.blackHole(.both))
            let other = try await RawConnection.connect(to: proxy.url)
            let swallowed = proxy.swallowedBytes
            try await ask(other)
            try await proxy.waitUntil("the request vanished") { $0.swallowedBytes > swallowed }
            await api.goOffline()
            try await api.comeBack()
            #expect(socket.text.isEmpty && socket.ending == nil && other.text.isEmpty && other.ending == nil)
            #expect(api.requests.count == 1)
            try await proxy.setMode(.pass)
            try await ask(other, "/api/ready")
            try await other.receive(until: "OK\"}")
            #expect(api.requests.map(\.path) == ["/health", "/ready"])
        }
    }

    @Test("the proxy cuts an answer after some bytes")
    func cut() async throws {
        try await withProxy { _, proxy in
            try await proxy.setMode(.cutAnswers(afterBytes: 12))
            let socket = try await RawConnection.connect(to: proxy.url)
            try await ask(socket)
            #expect(try await socket.waitForEnding() == .closed)
            #expect(socket.text == "HTTP/1.1 200")
        }
    }

    @Test("the proxy loses the answer of a request that took effect")
    func loseAnswer() async throws {
        try await withProxy { api, proxy in
            proxy.intercept(method: "POST", path: "/api/flows/", times: 1, .loseAnswer)
            let socket = try await RawConnection.connect(to: proxy.url)
            try await socket.sendRequest("POST", "/api/flows/", body: #"{"name":"f"}"#)
            #expect(try await socket.waitForEnding() == .closed)
            #expect(socket.text.isEmpty)
            #expect(api.snapshot.flows.map(\.name) == ["f"])
            _ = try await PrefectServerClient(url: proxy.url).createFlow(name: "g")
        }
    }

    @Test("the proxy answers a request itself and keeps the connection open")
    func answer() async throws {
        try await withProxy { api, proxy in
            proxy.intercept(
                path: "/api/flows/", times: 1,
                .answer(429, headers: [(name: "Retry-After", value: "3")], body: ["detail": "slowly"]))
            let socket = try await RawConnection.connect(to: proxy.url)
            try await socket.sendRequest("POST", "/api/flows/", body: #"{"name":"f"}"#)
            let text = try await socket.receive(until: "slowly")
            #expect(text.hasPrefix("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\n"))
            #expect(api.requests.isEmpty)
            try await socket.sendRequest("POST", "/api/flows/", body: #"{"name":"f"}"#)
            try await socket.receive(until: "201 Created")
        }
    }

    @Test("the proxy delays or resets a single request")
    func singleRequests() async throws {
        try await withProxy { _, proxy in
            proxy.intercept(path: "/api/health", .delay(.milliseconds(50)))
            proxy.intercept(path: "/api/ready", .reset)
            let socket = try await RawConnection.connect(to: proxy.url)
            let start = ContinuousClock.now
            try await ask(socket)
            try await socket.receive(until: "true")
            #expect(ContinuousClock.now - start >= .milliseconds(50))
            try await ask(socket, "/api/ready")
            #expect(try await socket.waitForEnding() == .reset)
        }
    }

    @Test("the proxy resets the client's connection if the server refuses connections")
    func noServer() async throws {
        try await withProxy { api, proxy in
            await api.stop()
            let socket = try await RawConnection.connect(to: proxy.url)
            try await ask(socket)
            #expect(try await socket.waitForEnding() == .reset)
        }
    }

    @Test("requests are found in pieces of any size")
    func splitting() {
        let text =
            "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
            + "PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nwxyz\r\n0\r\nTrail: er\r\n\r\n"
            + "GET /c HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\u{1}\u{2}GET /e HTTP/1.1\r\n\r\n"
        for size in [1, 2, 3, 7, 50, 1000] {
            var splitter = RequestSplitter()
            var paths: [String] = []
            var ends = 0
            var bytes: [UInt8] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                for piece in splitter.take(Array(rest.prefix(size))) {
                    switch piece {
                    case .head(_, let path, let head):
                        paths.append(path)
                        bytes += head
                    case .body(let part), .opaque(let part): bytes += part
                    case .end: ends += 1
                    }
                }
                rest = rest.dropFirst(size)
            }
            #expect(paths == ["/a", "/b", "/c", "/d"], "in pieces of \(size)")
            #expect(ends == 4)
            #expect(String(decoding: bytes, as: UTF8.self) == text)
        }
    }

    @Test("bytes that are not HTTP pass unchanged")
    func opaque() {
        var splitter = RequestSplitter()
        #expect(splitter.take([0x16, 3, 1]) == [.opaque([0x16, 3, 1])])
        #expect(splitter.take(Array("GET / HTTP/1.1\r\n\r\n".utf8)).count == 1)
    }
}
