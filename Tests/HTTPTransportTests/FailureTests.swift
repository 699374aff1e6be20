import HTTPTransport
import Testing
import TransportPeers

@Suite("Failures") struct FailureTests {
    /// The error of a first request to a server whose connections run this handler.
    private func error(
        of request: HTTPRequest = HTTPRequest(url: ""), _ handler: @escaping ScriptedServer.Handler
    ) async throws -> TransportError? {
        let server = try ScriptedServer(handler)
        defer { server.stop() }
        let transport = try makeTransport()
        var request = request
        request.url = server.url + "/path"
        let error = await transportError { try await transport.text(request) }
        await transport.shutdown()
        return error
    }

    @Test("a refused connection fails with couldNotConnect, and its error states that nothing was sent")
    func refused() async throws {
        let port = try Sockets.closedPort()
        let transport = try makeTransport()
        let error = await transportError {
            try await transport.text(
                HTTPRequest(method: .post, url: "http://me:secret@127.0.0.1:\(port)/api?token=secret"))
        }
        #expect(error?.kind == .couldNotConnect)
        #expect(error?.requestMayHaveBeenSent == false)
        #expect(error?.operation == "POST http://127.0.0.1:\(port)/api")
        #expect(error?.cause.contains("Connection refused") == true)
        #expect(error?.description.contains("secret") == false)
        #expect(error?.description.contains(where: \.isNewline) == false)
        #expect(error?.remedy != nil)
        await transport.shutdown()
    }

    @Test("a host name without an address fails with couldNotResolve")
    func unresolved() async throws {
        let transport = try makeTransport()
        let error = await transportError { try await transport.text(HTTPRequest(url: "http://nowhere.invalid/")) }
        #expect(error?.kind == .couldNotResolve)
        #expect(error?.requestMayHaveBeenSent == false)
        await transport.shutdown()
    }

    @Test("after a connection closes without a response, the request counts as possibly sent")
    func nothing() async throws {
        let error = try await error { _ = $0.readRequest() }
        #expect(error?.kind == .receiveFailed)
        #expect(error?.requestMayHaveBeenSent == true)
    }

    @Test("a request that libcurl resends because the reused connection was dead is marked as repeated")
    func repeated() async throws {
        let server = try ScriptedServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.answer("200 OK")
            // The next request on this connection is read and gets no response.
            _ = connection.readRequest()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let request = HTTPRequest(method: .post, url: server.url, body: .bytes(Array("x".utf8)))
        let first = try await transport.fetch(request, maxBodyBytes: 10)
        #expect(!first.head.requestWasRepeated)
        let second = try await transport.fetch(request, maxBodyBytes: 10)
        #expect(second.head.requestWasRepeated)
        #expect(server.connectionCount == 2)
        await transport.shutdown()
    }

    @Test("a request that must be sent once gets a new connection, and is not repeated when it closes")
    func sentOnce() async throws {
        let received = Log<String>()
        let server = try ScriptedServer { connection in
            while let request = connection.readRequest() {
                received.append(request.target)
                guard request.target == "/first" else { return }
                connection.answer("200 OK")
            }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        _ = try await transport.fetch(HTTPRequest(url: server.url + "/first"), maxBodyBytes: 10)
        var request = HTTPRequest(method: .post, url: server.url + "/second", body: .bytes(Array("x".utf8)))
        request.isSentOnce = true
        await #expect(throws: TransportError.self) { _ = try await transport.fetch(request, maxBodyBytes: 10) }
        #expect(received.all == ["/first", "/second"] && server.connectionCount == 2)
        await transport.shutdown()
    }

    @Test("a connection reset before the response is a receive failure")
    func reset() async throws {
        let error = try await error { connection in
            _ = connection.readRequest()
            connection.reset()
        }
        #expect(error?.kind == .receiveFailed)
        #expect(error?.requestMayHaveBeenSent == true)
    }

    @Test("a truncated body delivers the received bytes, then fails")
    func partial() async throws {
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let response = try await transport.send(HTTPRequest(url: server.url))
        var portions = response.body.makeAsyncIterator()
        #expect(try await portions.next() == Array("half".utf8))
        for _ in 0..<2 {
            let error = await transportError { try await portions.next() as Any }
            #expect(error?.kind == .receiveFailed)
        }
        await transport.shutdown()
    }

    @Test("a truncated chunked body fails")
    func cutChunks() async throws {
        let error = try await error { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.chunk("half")
        }
        #expect(error?.kind == .receiveFailed)
    }

    @Test(
        "a response that is not HTTP is a protocol violation",
        arguments: [
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a length\r\n",
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "\0\u{1}\u{2}garbage\r\n\r\n",
        ])
    func garbage(_ answer: String) async throws {
        let error = try await error { connection in
            _ = connection.readRequest()
            connection.write(answer)
            connection.waitForPeerToClose()
        }
        #expect(error?.kind == .protocolViolation)
    }

    @Test("a response head without end is a protocol violation")
    func endlessHead() async throws {
        let error = try await error { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n")
            let line = "X: " + String(repeating: "y", count: 30_000) + "\r\n"
            while connection.write(line) {}
        }
        #expect(error?.kind == .protocolViolation)
    }

    @Test("a request fails when the server resets the connection during a large request body")
    func resetWhileSending() async throws {
        let body = [UInt8](repeating: 1, count: 32 << 20)
        let error = try await error(of: HTTPRequest(method: .post, url: "", body: .bytes(body))) { connection in
            _ = connection.read()
            connection.reset()
        }
        #expect(error?.kind == .sendFailed || error?.kind == .receiveFailed)
        #expect(error?.requestMayHaveBeenSent == true)
    }

    @Test("an early response to a large request body is delivered")
    func earlyAnswer() async throws {
        let server = try ScriptedServer { connection in
            _ = connection.read()
            connection.answer("413 Content Too Large", headers: ["Connection: close"], body: "no")
            connection.waitForPeerToClose()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let body = [UInt8](repeating: 1, count: 8 << 20)
        let answer = try await transport.text(HTTPRequest(method: .post, url: server.url, body: .bytes(body)))
        #expect(answer.status == 413)
        await transport.shutdown()
    }
}
