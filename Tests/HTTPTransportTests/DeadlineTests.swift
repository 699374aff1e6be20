import Glibc
import HTTPTransport
import Testing
import TransportPeers

@Suite("Deadlines and cancellation", .timeLimit(.minutes(1))) struct DeadlineTests {
    private let short = Duration.milliseconds(100)

    private func error(
        _ deadlines: Deadlines, method: HTTPMethod = .get, body: HTTPRequest.Body = .none,
        _ handler: @escaping ScriptedServer.Handler
    ) async throws -> TransportError? {
        let closed = Signal()
        let server = try ScriptedServer { connection in
            handler(connection)
            connection.waitForPeerToClose()
            closed.set()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let began = ContinuousClock.now
        let error = await transportError {
            try await transport.text(HTTPRequest(method: method, url: server.url, body: body, deadlines: deadlines))
        }
        // This is half of the default deadlines, so only a given deadline can have expired.
        #expect(began.duration(to: .now) < .seconds(30))
        // The connection of a transfer that timed out is closed and not reused.
        #expect(await eventually { closed.isSet })
        await transport.shutdown()
        return error
    }

    @Test("a server that never starts its response runs into the first-byte deadline")
    func firstByte() async throws {
        let error = try await error(Deadlines(firstByte: short)) { _ = $0.readRequest() }
        #expect(error?.kind == .firstByteTimeout)
        #expect(error?.requestMayHaveBeenSent == true)
        #expect(error?.cause.contains("0.1 s") == true)
    }

    @Test("a response that stalls runs into the idle deadline")
    func idle() async throws {
        let error = try await error(Deadlines(idle: short)) { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        }
        #expect(error?.kind == .idleTimeout)
    }

    @Test("a response without end runs into the deadline for the whole request")
    func whole() async throws {
        let error = try await error(Deadlines(idle: .seconds(5), whole: .milliseconds(200))) { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            while connection.write("x") { usleep(5000) }
        }
        #expect(error?.kind == .wholeTimeout)
    }

    @Test("the deadline for the whole request includes redirects")
    func wholeOverRedirects() async throws {
        let error = try await error(Deadlines(whole: .milliseconds(200))) { connection in
            while connection.readRequest() != nil {
                usleep(30_000)
                connection.answer("302 Found", headers: ["Location: /again"])
            }
        }
        #expect(error?.kind == .wholeTimeout)
    }

    @Test("a connection attempt that hangs runs into the connect deadline")
    func connect() async throws {
        // The backlog of this socket is full: further connections hang as with a host that drops packets.
        let (listener, port) = try Sockets.listenOnLoopback()
        listen(listener, 0)
        var fillers: [Int32] = []
        defer { for descriptor in fillers + [listener] { close(descriptor) } }
        for _ in 0..<4 {
            if let filler = Sockets.connectToLoopback(port: port, blocking: false) { fillers.append(filler) }
        }
        let transport = try makeTransport()
        let error = await transportError {
            try await transport.text(
                HTTPRequest(url: "http://127.0.0.1:\(port)/", deadlines: Deadlines(connect: short)))
        }
        #expect(error?.kind == .connectTimeout)
        #expect(error?.requestMayHaveBeenSent == false)
        await transport.shutdown()
    }

    @Test("the connect deadline includes the wait for a free connection")
    func queue() async throws {
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            connection.waitForPeerToClose()
        }
        defer { server.stop() }
        let transport = try makeTransport(maxConnectionsPerHost: 1)
        let stream = try await transport.send(HTTPRequest(url: server.url, deadlines: .stream()))
        let error = await transportError {
            try await transport.text(HTTPRequest(url: server.url, deadlines: Deadlines(connect: short)))
        }
        #expect(error?.kind == .connectTimeout)
        #expect(error?.requestMayHaveBeenSent == false)
        stream.body.cancel()
        await transport.shutdown()
    }

    @Test("cancelling the task ends a request that waits for its response")
    func cancelBeforeHead() async throws {
        let asked = Signal()
        let closed = Signal()
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            asked.set()
            connection.waitForPeerToClose()
            closed.set()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let error = await withTaskGroup(of: TransportError?.self) { group in
            group.addTask {
                await transportError { try await transport.text(HTTPRequest(url: server.url)) }
            }
            #expect(await eventually { asked.isSet })
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(error?.kind == .cancelled)
        #expect(error?.requestMayHaveBeenSent == true)
        #expect(await eventually { closed.isSet })
        await transport.shutdown()
    }

    @Test("cancelling the task ends the reading of a stream")
    func cancelInBody() async throws {
        let closed = Signal()
        let reading = Signal()
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\nstart")
            connection.waitForPeerToClose()
            closed.set()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let error = await withTaskGroup(of: TransportError?.self) { group in
            group.addTask {
                await transportError {
                    let response = try await transport.send(HTTPRequest(url: server.url, deadlines: .stream()))
                    for try await _ in response.body { reading.set() }
                }
            }
            #expect(await eventually { reading.isSet })
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(error?.kind == .cancelled)
        #expect(await eventually { closed.isSet })
        await transport.shutdown()
    }

    @Test("an already cancelled task sends no request")
    func cancelledBefore() async throws {
        let server = try ScriptedServer { _ in }
        defer { server.stop() }
        let transport = try makeTransport()
        let error = await withTaskGroup(of: TransportError?.self) { group in
            group.cancelAll()
            group.addTask {
                await transportError { try await transport.text(HTTPRequest(url: server.url)) }
            }
            return await group.next() ?? nil
        }
        #expect(error?.kind == .cancelled)
        #expect(error?.requestMayHaveBeenSent == false)
        #expect(server.connectionCount == 0)
        await transport.shutdown()
    }
}
