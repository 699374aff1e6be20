import FoundationEssentials
import Glibc
import HTTPTransport
import PrefectWebSocket
import Testing
import TransportPeers

@Suite("WebSocket lifecycle", .timeLimit(.minutes(1))) struct WebSocketLifecycleTests {
    /// A server that echoes every message, and answers pings and closes.
    private static func echo() throws -> ScriptedServer {
        try RawPeer.server { peer in
            while let frame = peer.readFrame() {
                switch frame.opcode {
                case 8:
                    peer.write(serverFrame(8, frame.payload))
                    return
                case 9: peer.write(serverFrame(10, frame.payload))
                case 10: break
                default: peer.write(serverFrame(frame.opcode, frame.payload, isFinal: frame.isFinal))
                }
            }
        }
    }

    @Test("cancelling the opening of a WebSocket closes its connection")
    func cancelOpening() async throws {
        let asked = Signal()
        let gone = Signal()
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            asked.set()
            connection.waitForPeerToClose()
            gone.set()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let url = server.socketURL
        let opening = Task { await socketError { try await transport.webSocket(WebSocketRequest(url: url)) } }
        #expect(await eventually { asked.isSet })
        opening.cancel()
        #expect(await opening.value?.kind == .cancelled)
        #expect(await eventually { gone.isSet })
        await transport.shutdown()
    }

    @Test("cancelling a receive or a ping keeps the WebSocket usable")
    func cancelWaiting() async throws {
        let server = try Self.echo()
        defer { server.stop() }
        let transport = try makeTransport()
        let socket = try await transport.webSocket(WebSocketRequest(url: server.socketURL))
        for _ in 0..<100 {
            let receiving = Task { await socketError { try await socket.receive() } }
            let pinging = Task { try? await socket.ping() }
            receiving.cancel()
            pinging.cancel()
            #expect(await receiving.value?.kind == .cancelled)
            await pinging.value
        }
        try await socket.send(.text("still here"))
        #expect(try await socket.receive() == .text("still here"))
        await socket.close()
        await transport.shutdown()
    }

    @Test("an already cancelled task sends and receives nothing, and closes the WebSocket without waiting")
    func cancelledBefore() async throws {
        let closed = Log<UInt16?>()
        let server = try RawPeer.server { peer in
            closed.append(peer.readClose())
            peer.connection.waitForPeerToClose()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let request = WebSocketRequest(url: server.socketURL, closeTimeout: .seconds(30))
        let socket = try await transport.webSocket(request)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            let sent = await socketError { try await socket.send(.text("never")) }
            let received = await socketError { try await socket.receive() }
            let pinged = await socketError { try await socket.ping() }
            await socket.close(code: .serviceRestart)
            let opened = await socketError { try await transport.webSocket(request) }
            return [sent, received, pinged, opened].map { $0?.kind }
        }
        let start = ContinuousClock.now
        task.cancel()
        #expect(await task.value == Array(repeating: .cancelled, count: 4))
        #expect(await eventually { closed.all == [1012] })
        #expect(start.duration(to: .now) < .seconds(10))
        await transport.shutdown()
    }

    @Test("a partly sent message is completed after its send is cancelled, and unsent messages are withdrawn")
    func cancelSend() async throws {
        let goOn = Signal()
        let frames = Log<ClientFrame>()
        let server = try RawPeer.server { peer in
            while let frame = peer.readFrame() {
                frames.append(frame)
                goOn.wait()
            }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let request = WebSocketRequest(url: server.socketURL, pingInterval: nil)
        let socket = try await transport.webSocket(request)
        let size = 20 << 20
        let large = Task { await socketError { try await socket.send(.binary([UInt8](repeating: 1, count: size))) } }
        #expect(await eventually { frames.all.count == 1 })
        let started = Counter()
        let waiting = (0..<20).map { _ in
            Task {
                started.add(1)
                return await socketError { try await socket.send(.text("withdrawn")) }
            }
        }
        #expect(await eventually { started.value == 20 })
        large.cancel()
        for task in waiting { task.cancel() }
        #expect(await large.value?.kind == .cancelled)
        for task in waiting { #expect(await task.value?.kind == .cancelled) }
        goOn.set()
        try await socket.send(.text("last"))
        #expect(await eventually { frames.all.last?.payload == Array("last".utf8) })
        #expect(frames.all.filter { $0.opcode < 3 }.map(\.length).reduce(0, +) == size + 4)
        await transport.shutdown()
    }

    @Test("WebSockets and requests do not share connections or connection limits")
    func besideRequests() async throws {
        let server = try Self.echo()
        defer { server.stop() }
        let pages = try ScriptedServer { connection in
            while connection.readRequest() != nil { connection.answer(body: "page") }
        }
        defer { pages.stop() }
        let transport = try HTTPTransport(
            TransportConfiguration(proxies: .direct, maxConnectionsPerHost: 1, maxConnections: 1))
        var sockets: [WebSocket] = []
        for _ in 0..<10 {
            sockets.append(try await transport.webSocket(WebSocketRequest(url: server.socketURL)))
            #expect(try await transport.text(HTTPRequest(url: pages.url)).text == "page")
        }
        for socket in sockets {
            try await socket.send(.text("x"))
            #expect(try await socket.receive() == .text("x"))
            await socket.close()
        }
        #expect(pages.connectionCount == 1)
        await transport.shutdown()
    }

    @Test("a WebSocket works after the last other reference to its transport is gone")
    func outlivesTransport() async throws {
        let server = try Self.echo()
        defer { server.stop() }
        let socket = try await makeTransport().webSocket(WebSocketRequest(url: server.socketURL))
        try await socket.send(.text("x"))
        #expect(try await socket.receive() == .text("x"))
        await socket.close()
    }

    @Test("three hundred WebSockets leak no descriptors")
    func noLeaks() async {
        // The test runs in its own process, in which no other test opens descriptors.
        await #expect(processExitsWith: .success) {
            let server = try WebSocketLifecycleTests.echo()
            let transport = try makeTransport()
            func descriptors() -> Int {
                (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? .max
            }
            func use(_ number: Int) async throws {
                let socket = try await transport.webSocket(WebSocketRequest(url: server.socketURL))
                try await socket.send(.text("x"))
                _ = try await socket.receive()
                if !number.isMultiple(of: 3) { await socket.close() }
            }
            try await use(1)
            let before = descriptors()
            for number in 0..<300 { try await use(number) }
            // The runtime opens a few descriptors when it first needs them, such as for timers.
            guard await eventually({ descriptors() <= before + 10 }) else { exit(EXIT_FAILURE) }
            await transport.shutdown()
            server.stop()
        }
    }
}
