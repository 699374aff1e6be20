import HTTPTransport
import PrefectWebSocket
import Testing
import TransportPeers

@Suite(
    "A WebSocket over TLS and proxies", .serialized,
    .enabled(
        if: PythonPeer.isPossible && Certificates.isPossible, "python3-websockets or openssl is not installed"),
    .timeLimit(.minutes(1)))
struct WebSocketTLSTests {
    @Test("wss trusts only the configured authority, and large messages pass")
    func authority() async throws {
        let certificates = try Certificates.shared.get()
        let server = try await PythonPeer.start(certificates)
        defer { server.stop() }
        let transport = try makeTransport(http2: true, tls: certificates.trusted)
        let request = WebSocketRequest(url: server.url("/echo", scheme: "wss"))
        let message = WebSocket.Message.binary([UInt8](repeating: 0x5a, count: 3_000_000) + [1])
        try await transport.withWebSocket(request) { socket in
            async let echo = socket.receive()
            try await socket.send(message)
            #expect(try await echo == message)
        }
        var stranger = request
        stranger.tls = TLSConfiguration()
        #expect(await socketError { try await transport.webSocket(stranger) }?.connectionKind == .tls)
        stranger.tls = TLSConfiguration(verifyPeer: false)
        try await transport.withWebSocket(stranger) { socket in
            try await socket.send(.text("x"))
            #expect(try await socket.receive() == .text("x"))
        }
        await transport.shutdown()
    }

    @Test("both schemes use the proxy's tunnel, except for hosts in no_proxy", arguments: ["ws", "wss"])
    func tunnel(_ scheme: String) async throws {
        let certificates = try Certificates.shared.get()
        let server = try await PythonPeer.start(scheme == "wss" ? certificates : nil)
        defer { server.stop() }
        let asked = Log<ReceivedRequest>()
        let port = server.port
        let proxy = try ScriptedServer { connection in
            guard let request = connection.readRequest() else { return }
            asked.append(request)
            _ = connection.tunnel(toPort: port)
        }
        defer { proxy.stop() }
        let name = scheme == "ws" ? "http_proxy" : "https_proxy"
        let address = "http://me:secret@127.0.0.1:\(proxy.port)"
        let policy = ProxyPolicy(environment: [name: address, "no_proxy": "localhost"])
        let transport = try makeTransport(tls: certificates.trusted, proxies: policy)
        for host in ["127.0.0.1", "localhost"] {
            let request = WebSocketRequest(
                url: server.url("/echo", scheme: scheme, host: host), headers: ["X-Secret": "1"])
            try await transport.withWebSocket(request) { socket in
                let message = WebSocket.Message.text(String(repeating: "through ", count: 50_000))
                async let echo = socket.receive()
                try await socket.send(message)
                #expect(try await echo == message)
            }
        }
        #expect(asked.all.map(\.method) == ["CONNECT"])
        #expect(asked.all.first?.target == "127.0.0.1:\(port)")
        #expect(asked.all.first?.value("Proxy-Authorization") == "Basic bWU6c2VjcmV0")
        #expect(asked.all.first?.value("X-Secret") == nil)
        await transport.shutdown()
    }

    @Test("a proxy reached over TLS carries both schemes, including TLS within TLS", arguments: ["ws", "wss"])
    func secureProxy(_ scheme: String) async throws {
        let certificates = try Certificates.shared.get()
        let server = try await PythonPeer.start(scheme == "wss" ? certificates : nil)
        defer { server.stop() }
        let proxy = try await PythonPeer.startProxy(certificates)
        defer { proxy.stop() }
        let policy = ProxyPolicy(environment: ["all_proxy": proxy.url("", scheme: "https")])
        let transport = try makeTransport(tls: certificates.trusted, proxies: policy)
        try await transport.withWebSocket(WebSocketRequest(url: server.url("/echo", scheme: scheme))) { socket in
            let message = WebSocket.Message.binary([UInt8](repeating: 0x5a, count: 3_000_000) + [1])
            for _ in 0..<2 {
                async let echo = socket.receive()
                try await socket.send(message)
                #expect(try await echo == message)
            }
        }
        await transport.shutdown()
    }
}
