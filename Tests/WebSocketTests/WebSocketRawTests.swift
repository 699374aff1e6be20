import HTTPTransport
import PrefectWebSocket
import Testing
import TransportPeers

@Suite("A WebSocket with a misbehaving server", .timeLimit(.minutes(1))) struct WebSocketRawTests {
    /// The error with which a WebSocket ends after these bytes from the server, and the close code for the server.
    private func end(
        _ bytes: [UInt8], limit: Int = 1 << 20
    ) async throws -> (kind: WebSocketError.Kind?, told: UInt16?) {
        let told = Log<UInt16?>()
        let server = try RawPeer.server { peer in
            peer.write(bytes)
            told.append(peer.readClose())
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let request = WebSocketRequest(url: server.socketURL, maximumMessageBytes: limit)
        let socket = try await transport.webSocket(request)
        let error = await socketError { while true { _ = try await socket.receive() } }
        #expect(await eventually { !told.all.isEmpty })
        await transport.shutdown()
        return (error?.kind, told.all.first ?? nil)
    }

    @Test(
        "invalid frames close the WebSocket with the matching code, which the server gets too",
        arguments: [
            ([0xc1, 0], 1002), ([0x83, 0], 1002), ([0x81, 0x81, 1, 2, 3, 4, 5], 1002), ([0x89, 126, 0, 126], 1002),
            ([0x09, 0], 1002), ([0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], 1002), ([0x80, 0], 1002), ([0x88, 1, 3], 1002),
            ([0x88, 2, 0x03, 0xed], 1002), ([0x81, 1, 0xff], 1007), ([0x88, 3, 0x03, 0xe8, 0xff], 1007),
            ([0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255], 1009),
        ] as [([UInt8], UInt16)])
    func hostile(_ bytes: [UInt8], _ code: UInt16) async throws {
        // A valid message precedes the invalid bytes.
        let (kind, told) = try await end(serverFrame(1, [0x61]) + bytes)
        guard case .violation(let own, let cause) = kind else {
            Issue.record("\(String(describing: kind))")
            return
        }
        #expect(own.rawValue == code)
        #expect(!cause.isEmpty)
        #expect(told == code)
    }

    @Test("a connection that ends without a close frame is lost, whether by close or by reset")
    func lost() async throws {
        for isReset in [false, true] {
            let server = try RawPeer.server { peer in
                peer.write(serverFrame(1, [0x61]))
                _ = peer.readFrame()
                if isReset { peer.connection.reset() }
            }
            defer { server.stop() }
            let transport = try makeTransport()
            let socket = try await transport.webSocket(WebSocketRequest(url: server.socketURL))
            #expect(try await socket.receive() == .text("a"))
            try await socket.send(.text("go"))
            let error = await socketError { try await socket.receive() }
            guard case .lost = error?.kind else {
                Issue.record("\(String(describing: error))")
                return
            }
            await socket.close()
            await transport.shutdown()
        }
    }

    @Test("a server that stops answering is detected within the pong timeout")
    func halfOpen() async throws {
        let pings = Log<ClientFrame>()
        let server = try RawPeer.server { peer in
            while let frame = peer.readFrame() { pings.append(frame) }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let request = WebSocketRequest(
            url: server.socketURL, pingInterval: .milliseconds(50), pongTimeout: .milliseconds(150))
        let start = ContinuousClock.now
        let socket = try await transport.webSocket(request)
        let error = await socketError { try await socket.receive() }
        let passed = start.duration(to: .now)
        #expect(error?.kind == .lost("the server did not answer a ping within 0.15 s"))
        #expect(passed >= .milliseconds(200) && passed < .seconds(20))
        #expect(await eventually { pings.all.map(\.opcode) == [9] })
        await transport.shutdown()
    }

    @Test("an explicit ping without a pong loses the connection, even without a ping interval")
    func userPing() async throws {
        let server = try RawPeer.server { $0.connection.waitForPeerToClose() }
        defer { server.stop() }
        let transport = try makeTransport()
        let request = WebSocketRequest(url: server.socketURL, pingInterval: nil, pongTimeout: .milliseconds(100))
        let socket = try await transport.webSocket(request)
        let error = await socketError { try await socket.ping() }
        #expect(error?.kind == .lost("the server did not answer a ping within 0.1 s"))
        await transport.shutdown()
    }

    @Test("a blocked send ends with the pong timeout when the server has stopped reading")
    func stuckWriter() async throws {
        let goOn = Signal()
        let server = try RawPeer.server { _ in goOn.wait() }
        defer { server.stop() }
        defer { goOn.set() }
        let transport = try makeTransport()
        let request = WebSocketRequest(
            url: server.socketURL, pingInterval: .milliseconds(50), pongTimeout: .milliseconds(200))
        let socket = try await transport.webSocket(request)
        let error = await socketError {
            try await socket.send(.binary([UInt8](repeating: 1, count: 64 << 20)))
        }
        #expect(error?.kind == .lost("the server did not answer a ping within 0.2 s"))
        await transport.shutdown()
    }

    @Test("a close that the server does not answer ends after the close timeout")
    func unansweredClose() async throws {
        let server = try RawPeer.server { $0.connection.waitForPeerToClose() }
        defer { server.stop() }
        let transport = try makeTransport()
        let request = WebSocketRequest(url: server.socketURL, closeTimeout: .milliseconds(50))
        let socket = try await transport.webSocket(request)
        await socket.close()
        let error = await socketError { try await socket.receive() }
        #expect(error?.kind == .lost("the server did not answer the close within 0.05 s"))
        await transport.shutdown()
    }

    @Test("a close finds the server's answer behind messages that were not received")
    func closeWhileHeldBack() async throws {
        let server = try RawPeer.server { peer in
            for _ in 0..<300 { peer.write(serverFrame(2, [UInt8](repeating: 0, count: 60_000))) }
            guard peer.readClose() == 1000 else { return }
            peer.write(serverFrame(8, [0x03, 0xe8]))
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let request = WebSocketRequest(url: server.socketURL, closeTimeout: .seconds(20))
        let socket = try await transport.webSocket(request)
        _ = try await socket.receive()
        await socket.close()
        let error = await socketError { while true { _ = try await socket.receive() } }
        #expect(error?.kind == .closed(code: .normal, reason: ""))
        await transport.shutdown()
    }

    @Test("frames that arrive with the handshake response are kept, and thousands of small frames stay in order")
    func together() async throws {
        let server = try ScriptedServer { connection in
            guard let request = connection.readRequest() else { return }
            var bytes = Array(RawPeer.agreement(to: request).utf8)
            for number in 0..<5000 { bytes += serverFrame(1, Array("\(number)".utf8)) }
            connection.write(bytes)
            connection.waitForPeerToClose()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let socket = try await transport.webSocket(WebSocketRequest(url: server.socketURL))
        for number in 0..<5000 { #expect(try await socket.receive() == .text("\(number)")) }
        await transport.shutdown()
    }

    @Test("every client frame is masked, and a large message is split into several frames")
    func frames() async throws {
        let frames = Log<ClientFrame>()
        let server = try RawPeer.server { peer in
            while let frame = peer.readFrame() { frames.append(frame) }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let socket = try await transport.webSocket(WebSocketRequest(url: server.socketURL))
        try await socket.send(.text("small"))
        try await socket.send(.binary([UInt8](repeating: 3, count: 150_000)))
        #expect(await eventually { frames.all.count == 4 })
        #expect(frames.all.map(\.opcode) == [1, 2, 0, 0])
        #expect(frames.all.map(\.isFinal) == [true, false, false, true])
        #expect(frames.all.allSatisfy { $0.isMasked })
        #expect(frames.all.dropFirst().flatMap(\.payload) == [UInt8](repeating: 3, count: 150_000))
        await transport.shutdown()
    }

    // MARK: Before the WebSocket is open

    @Test("failed connections, invalid requests and responses that are not HTTP have their own error kinds")
    func notConnected() async throws {
        let transport = try makeTransport()
        func kind(_ url: String, _ request: (inout WebSocketRequest) -> Void = { _ in }) async -> WebSocketError? {
            var socket = WebSocketRequest(url: url)
            request(&socket)
            return await socketError { try await transport.webSocket(socket) }
        }
        let port = try Sockets.closedPort()
        let refused = await kind("ws://user:secret@127.0.0.1:\(port)/x?token=secret")
        #expect(refused?.connectionKind == .couldNotConnect)
        #expect(refused?.description.contains("secret") == false)
        #expect(refused?.description.hasPrefix("WebSocket ws://127.0.0.1:\(port)/x: ") == true)
        #expect(await kind("ws://nowhere.invalid/")?.connectionKind == .couldNotResolve)
        for url in ["http://127.0.0.1/", "ws:/x", "", "ws://127.0.0.1:x/"] {
            #expect(await kind(url)?.connectionKind == .invalidRequest)
        }
        let broken = await kind("ws://127.0.0.1:\(port)/") { $0.headers = ["A": "b\r\nC: d"] }
        #expect(broken?.connectionKind == .invalidRequest)
        let unnamed = await kind("ws://127.0.0.1:\(port)/") { $0.subprotocols = ["a,b"] }
        #expect(unnamed?.connectionKind == .invalidRequest)
        for answer in ["SSH-2.0-x\r\n", ""] {
            let server = try ScriptedServer { connection in
                _ = connection.readRequest()
                connection.write(answer)
            }
            defer { server.stop() }
            let error = await kind(server.socketURL)
            #expect(error?.connectionKind == (answer.isEmpty ? .receiveFailed : .protocolViolation))
            guard case .notConnected(let cause) = error?.kind else { continue }
            #expect(cause.requestMayHaveBeenSent)
        }
        await transport.shutdown()
    }

    @Test("connection and handshake share one deadline, and a refusal with an incomplete body is still a refusal")
    func deadline() async throws {
        for isRefusal in [false, true] {
            let server = try ScriptedServer { connection in
                _ = connection.readRequest()
                if isRefusal { connection.write("HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\npart") }
                connection.waitForPeerToClose()
            }
            defer { server.stop() }
            let transport = try makeTransport()
            // The refusal has to arrive within the timeout, which is therefore longer.
            let request = WebSocketRequest(
                url: server.socketURL, connectTimeout: isRefusal ? .seconds(5) : .milliseconds(500))
            let error = await socketError { try await transport.webSocket(request) }
            if isRefusal {
                #expect(
                    error?.kind
                        == .refused(
                            WebSocketRefusal(
                                status: 503, headers: ["Content-Length": "9"], body: Array("part".utf8))))
            } else {
                #expect(error?.connectionKind == .connectTimeout)
            }
            await transport.shutdown()
        }
    }

    @Test("a tunnel that the proxy refuses fails with a proxy error", arguments: ["403 Forbidden", "407 Who"])
    func refusedTunnel(_ status: String) async throws {
        let proxy = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.answer(status, headers: ["Proxy-Authenticate: Basic realm=\"x\"", "Connection: close"])
        }
        defer { proxy.stop() }
        let policy = ProxyPolicy(environment: ["all_proxy": "http://me:secret@127.0.0.1:\(proxy.port)"])
        let transport = try makeTransport(proxies: policy)
        let error = await socketError { try await transport.webSocket(WebSocketRequest(url: "ws://api.test/")) }
        #expect(error?.connectionKind == .proxy)
        #expect(error?.description.contains("secret") == false)
        await transport.shutdown()
    }
}
