import HTTPTransport
import PrefectWebSocket
import Testing
import TransportPeers

@Suite(
    "A WebSocket with Python's websockets", .serialized,
    .enabled(if: PythonPeer.isPossible, "python3-websockets is not installed"), .timeLimit(.minutes(1)))
struct WebSocketPeerTests {
    @Test("echoed messages of all sizes keep their content and their type")
    func echo() async throws {
        let server = try await PythonPeer.start()
        defer { server.stop() }
        let transport = try makeTransport()
        try await transport.withWebSocket(WebSocketRequest(url: server.url("/echo"))) { socket in
            #expect(socket.subprotocol == nil)
            for size in [0, 1, 125, 126, 65535, 65536, 65537, 200_000] {
                let bytes = WebSocket.Message.binary((0..<size).map { UInt8(truncatingIfNeeded: $0) })
                try await socket.send(bytes)
                let text = WebSocket.Message.text(String(repeating: "ü", count: size / 2))
                try await socket.send(text)
                #expect(try await socket.receive() == bytes)
                #expect(try await socket.receive() == text)
            }
        }
        #expect(await server.line("CLOSED") == "CLOSED 1000 ")
        await transport.shutdown()
    }

    @Test("a message of 16 MiB is echoed completely, with client pings in between")
    func large() async throws {
        let server = try await PythonPeer.start()
        defer { server.stop() }
        let transport = try makeTransport()
        let size = 16 << 20
        let request = WebSocketRequest(
            url: server.url("/echo"), pingInterval: .milliseconds(20), maximumMessageBytes: size)
        try await transport.withWebSocket(request) { socket in
            var bytes = [UInt8](repeating: 0x5a, count: size)
            bytes[size / 2] = 1
            try await socket.send(.binary(bytes))
            #expect(try await socket.receive() == .binary(bytes))
            let text = String(repeating: "0123456789abcdef", count: size / 16)
            try await socket.send(.text(text))
            #expect(try await socket.receive() == .text(text))
        }
        await transport.shutdown()
    }

    @Test("a fragmented message is reassembled, even if a fragment ends within a character")
    func fragments() async throws {
        let server = try await PythonPeer.start()
        defer { server.stop() }
        let transport = try makeTransport()
        try await transport.withWebSocket(WebSocketRequest(url: server.url("/fragments"))) { socket in
            let messages: [WebSocket.Message] = [
                .text(String(repeating: "grün ✓ 😀 ", count: 100)), .binary((0..<1000).map { UInt8($0 % 251) }),
            ]
            for message in messages {
                try await socket.send(message)
                #expect(try await socket.receive() == message)
            }
        }
        await transport.shutdown()
    }

    @Test("pings are answered in both directions")
    func pings() async throws {
        let server = try await PythonPeer.start()
        defer { server.stop() }
        let transport = try makeTransport()
        let request = WebSocketRequest(url: server.url("/ping"), pingInterval: .milliseconds(5))
        try await transport.withWebSocket(request) { socket in
            #expect(try await socket.receive() == .text("pong seen"))
            for _ in 0..<20 { try await socket.ping() }
        }
        await transport.shutdown()
    }

    @Test("the server's close code and reason reach receives, sends and pings")
    func closedByServer() async throws {
        let server = try await PythonPeer.start()
        defer { server.stop() }
        let transport = try makeTransport()
        let socket = try await transport.webSocket(WebSocketRequest(url: server.url("/close/4001/enough?token=secret")))
        let expected = WebSocketError.Kind.closed(code: .init(rawValue: 4001), reason: "enough")
        let error = await socketError { try await socket.receive() }
        #expect(error?.kind == expected)
        #expect(error?.description == "WebSocket \(server.url("/close/4001/enough")): closed with code 4001: enough")
        #expect(await socketError { try await socket.send(.text("x")) }?.kind == expected)
        #expect(await socketError { try await socket.ping() }?.kind == expected)
        #expect(await socketError { try await socket.receive() }?.kind == expected)
        await socket.close()
        // The server has the client's answer, which repeats only the code.
        #expect(await server.line("CLOSED") == "CLOSED 4001 ")
        await transport.shutdown()
    }

    @Test("the client's close code and reason reach the server and a waiting receive")
    func closedFromHere() async throws {
        let server = try await PythonPeer.start()
        defer { server.stop() }
        let transport = try makeTransport()
        let socket = try await transport.webSocket(WebSocketRequest(url: server.url("/echo")))
        async let received = socketError { try await socket.receive() }
        await socket.close(code: .init(rawValue: 4242), reason: "done ✓")
        #expect(await server.line("CLOSED") == "CLOSED 4242 done ✓")
        #expect(await received?.kind == .closed(code: .init(rawValue: 4242), reason: "done ✓"))
        await transport.shutdown()
    }

    @Test("a body that throws closes the WebSocket with 1001, and its error is rethrown")
    func throwingBody() async throws {
        struct Own: Error {}
        let server = try await PythonPeer.start()
        defer { server.stop() }
        let transport = try makeTransport()
        await #expect(throws: Own.self) {
            try await transport.withWebSocket(WebSocketRequest(url: server.url("/echo"))) { _ in throw Own() }
        }
        #expect(await server.line("CLOSED") == "CLOSED 1001 ")
        await transport.shutdown()
    }

    @Test("a released WebSocket closes with 1001, and so does one whose transport shuts down")
    func letGo() async throws {
        let server = try await PythonPeer.start()
        defer { server.stop() }
        let transport = try makeTransport()
        var socket: WebSocket? = try await transport.webSocket(WebSocketRequest(url: server.url("/echo")))
        #expect(socket != nil)
        socket = nil
        #expect(await server.line("CLOSED") == "CLOSED 1001 ")

        let other = try await transport.webSocket(WebSocketRequest(url: server.url("/echo")))
        async let received = socketError { try await other.receive() }
        async let ponged = socketError { for _ in 0..<1_000_000 { try await other.ping() } }
        await transport.shutdown()
        #expect(await received?.kind == .shutDown)
        #expect(await ponged?.kind == .shutDown)
        #expect(await server.line("CLOSED") == "CLOSED 1001 ")
        #expect(await socketError { try await other.send(.text("x")) }?.kind == .shutDown)
        await other.close()
        let late = await socketError { try await transport.webSocket(WebSocketRequest(url: server.url("/echo"))) }
        #expect(late?.kind == .shutDown)
    }

    @Test("headers, query, credentials and subprotocols reach the server, and the client gets the server's choice")
    func handshake() async throws {
        let server = try await PythonPeer.start(subprotocols: ["prefect"])
        defer { server.stop() }
        let transport = try makeTransport()
        let request = WebSocketRequest(
            url: "ws://user:secret@127.0.0.1:\(server.port)/headers?a=1%202", headers: ["X-A": "1", "X-B": "ü"],
            subprotocols: ["other", "prefect"])
        try await transport.withWebSocket(request) { socket in
            #expect(socket.subprotocol == "prefect")
            #expect(socket.headers["Server"]?.isEmpty == false)
            #expect(socket.url == server.url("/headers"))
            guard case .text(let seen) = try await socket.receive() else {
                Issue.record("it is not text")
                return
            }
            #expect(seen.hasPrefix(#"["prefect", "/headers?a=1%202", ["#))
            for pair in [#"["X-A", "1"]"#, #"["Authorization", "Basic dXNlcjpzZWNyZXQ="]"#] {
                #expect(seen.contains(pair), "\(seen)")
            }
            #expect(!seen.contains("Extensions"))
        }
        await transport.shutdown()
    }

    @Test("the handshake fails when the server accepts none of the subprotocols")
    func subprotocol() async throws {
        let server = try await PythonPeer.start(subprotocols: ["else"])
        defer { server.stop() }
        let transport = try makeTransport()
        let request = WebSocketRequest(url: server.url("/echo"), subprotocols: ["prefect"])
        let error = await socketError { try await transport.webSocket(request) }
        #expect(error?.kind == .handshake("the server accepts none of the offered subprotocols (prefect)"))
        await transport.shutdown()
    }

    @Test("a refusal has status, headers and the start of its body, and its description no secrets")
    func refused() async throws {
        let server = try await PythonPeer.start()
        defer { server.stop() }
        let transport = try makeTransport()
        let request = WebSocketRequest(
            url: "ws://me:secret@127.0.0.1:\(server.port)/forbidden?token=secret",
            headers: ["Authorization": "Bearer secret"])
        let error = await socketError { try await transport.webSocket(request) }
        guard case .refused(let refusal) = error?.kind else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(refusal.status == 403)
        #expect(refusal.headers["Retry-After"] == "7")
        #expect(refusal.body == Array("not for you".utf8))
        #expect(
            error?.description
                == "WebSocket \(server.url("/forbidden")): the server refuses the WebSocket with status 403")
        let large = await socketError {
            try await transport.webSocket(WebSocketRequest(url: server.url("/large")))
        }
        guard case .refused(let other) = large?.kind else {
            Issue.record("\(String(describing: large))")
            return
        }
        #expect(other.body.count == 4096)
        await transport.shutdown()
    }

    @Test("a stalled reader holds the server back and loses no message")
    func inboundPressure() async throws {
        let server = try await PythonPeer.start()
        defer { server.stop() }
        let transport = try makeTransport()
        let size = 128 * 1024
        let count = 400
        let request = WebSocketRequest(
            url: server.url("/flood/\(count)/\(size)"), pingInterval: .milliseconds(20), pongTimeout: .seconds(5))
        let socket = try await transport.webSocket(request)
        let sent = HTTPRequest(url: server.url("/sent", scheme: "http"))
        // The server stops when the sockets' buffers are full, long before the end. The wait exceeds the pong timeout.
        var last = ""
        var unchanged = 0
        while unchanged < 600 {
            let now = try await transport.text(sent).text
            unchanged = now == last && now != "0" ? unchanged + 1 : 0
            last = now
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(try #require(Int(last)) < count - 10)
        for number in 0..<count {
            #expect(
                try await socket.receive() == .binary([UInt8](repeating: UInt8(number % 256), count: size)))
        }
        #expect(await socketError { try await socket.receive() }?.kind == .closed(code: .normal, reason: "done"))
        await transport.shutdown()
    }

    @Test("a server that does not read holds the writer back, and the blocked send can be cancelled")
    func outboundPressure() async throws {
        let server = try await PythonPeer.start()
        defer { server.stop() }
        let transport = try makeTransport()
        let request = WebSocketRequest(url: server.url("/deaf"), pingInterval: nil)
        let socket = try await transport.webSocket(request)
        let sent = Counter()
        let writer = Task {
            await socketError {
                while true {
                    try await socket.send(.binary([UInt8](repeating: 1, count: 256 * 1024)))
                    sent.add(1)
                }
            }
        }
        var last = -1
        while sent.value != last {
            last = sent.value
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(last < 400)
        writer.cancel()
        #expect(await writer.value?.kind == .cancelled)
        await transport.shutdown()
    }

    @Test("many tasks can send at once, and every message arrives")
    func manyWriters() async throws {
        let server = try await PythonPeer.start()
        defer { server.stop() }
        let transport = try makeTransport()
        let socket = try await transport.webSocket(WebSocketRequest(url: server.url("/echo")))
        let texts = try await withThrowingTaskGroup(of: WebSocket.Message?.self) { group in
            for number in 0..<300 {
                group.addTask {
                    try await socket.send(.text("\(number)"))
                    return nil
                }
                group.addTask { try await socket.receive() }
            }
            return try await group.reduce(into: Set<WebSocket.Message>()) { if let text = $1 { $0.insert(text) } }
        }
        #expect(texts == Set((0..<300).map { .text("\($0)") }))
        await socket.close()
        await transport.shutdown()
    }
}
