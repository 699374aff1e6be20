import HTTPTransport
import Testing
import TransportPeers

@Suite("Bodies") struct BodyTests {
    @Test("chunks are delivered as they arrive, before the end of the body", .timeLimit(.minutes(1)))
    func streaming() async throws {
        let steps = [Signal(), Signal()]
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            steps[0].wait()
            connection.chunk("one")
            steps[1].wait()
            connection.chunk("two")
            connection.write("0\r\nX-Trailer: 1\r\n\r\n")
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let response = try await transport.send(HTTPRequest(url: server.url, deadlines: .stream()))
        var portions = response.body.makeAsyncIterator()
        steps[0].set()
        #expect(try await portions.next() == Array("one".utf8))
        steps[1].set()
        #expect(try await portions.next() == Array("two".utf8))
        #expect(try await portions.next() == nil)
        #expect(try await portions.next() == nil)
        #expect(!response.headers.contains("X-Trailer"))
        await transport.shutdown()
    }

    @Test("a body that arrives byte by byte is received completely")
    func byteByByte() async throws {
        let text = String(repeating: "slow but sure ", count: 50)
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n" + text
            for byte in answer.utf8 { connection.write([byte]) }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        #expect(try await transport.text(HTTPRequest(url: server.url)).text == text)
        await transport.shutdown()
    }

    @Test("a body without a length ends with the connection")
    func untilClose() async throws {
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.0 200 OK\r\n\r\nuntil the end")
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let response = try await transport.send(HTTPRequest(url: server.url))
        #expect(response.version == .http10)
        #expect(try await response.body.collect(upTo: 100) == Array("until the end".utf8))
        await transport.shutdown()
    }

    @Test("a stalled reader stops the sender, and gets the whole body once it reads", .timeLimit(.minutes(1)))
    func backPressure() async throws {
        let total = 48 << 20
        let written = Counter()
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let block = (0..<65536).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            while written.value < total, connection.write(block) { written.add(block.count) }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let response = try await transport.send(HTTPRequest(url: server.url))
        // The sender stops long before the end of the body.
        var last = -1
        var unchangedSince = ContinuousClock.now
        let stopped = await eventually(within: .seconds(20)) {
            if written.value != last {
                last = written.value
                unchangedSince = .now
            }
            return last > 0 && unchangedSince.duration(to: .now) > .milliseconds(200)
        }
        #expect(stopped)
        #expect(written.value < total)

        var received = 0
        var isIntact = true
        for try await portion in response.body {
            for byte in stride(from: 0, to: portion.count, by: 4099) {
                isIntact = isIntact && portion[byte] == UInt8(truncatingIfNeeded: ((received + byte) % 65536) &* 31)
            }
            received += portion.count
            #expect(portion.count <= 512 * 1024)
        }
        #expect(received == total)
        #expect(isIntact)
        await transport.shutdown()
    }

    @Test("a response that waits for its reader does not run into the idle deadline")
    func slowReader() async throws {
        // The transport buffers less than this and the system more, so the server finishes before the reading begins.
        let total = 1 << 20
        let done = Signal()
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.answer(bytes: [UInt8](repeating: 1, count: total))
            done.set()
            connection.waitForPeerToClose()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let idle = Duration.seconds(1)
        let response = try await transport.send(HTTPRequest(url: server.url, deadlines: Deadlines(idle: idle)))
        #expect(await eventually { done.isSet })
        let began = ContinuousClock.now
        #expect(await eventually(within: .seconds(30)) { began.duration(to: .now) > idle * 3 })
        #expect(try await response.body.collect(upTo: total).count == total)
        await transport.shutdown()
    }

    @Test("an abandoned body ends its transfer and closes the connection")
    func abandoned() async throws {
        let closed = Signal()
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.chunk("first")
            connection.waitForPeerToClose()
            closed.set()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        func readOne() async throws {
            let response = try await transport.send(HTTPRequest(url: server.url))
            for try await portion in response.body {
                #expect(portion == Array("first".utf8))
                break
            }
        }
        try await readOne()
        #expect(await eventually { closed.isSet })
        await transport.shutdown()
    }

    @Test("a body that is abandoned while the sender is held back ends its transfer")
    func abandonedHeldBack() async throws {
        let blocked = Signal()
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            let block = [UInt8](repeating: 0, count: 1 << 20)
            while connection.write(block) {}
            blocked.set()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        func take() async throws {
            _ = try await transport.send(HTTPRequest(url: server.url)).status
        }
        try await take()
        #expect(await eventually { blocked.isSet })
        await transport.shutdown()
    }

    @Test("a cancelled body fails with cancelled for its reader")
    func cancelled() async throws {
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\nsome")
            connection.waitForPeerToClose()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let response = try await transport.send(HTTPRequest(url: server.url))
        response.body.cancel()
        let error = await transportError { try await response.body.collect(upTo: 100) }
        #expect(error?.kind == .cancelled)
        await transport.shutdown()
    }

    @Test("collecting fails above the limit, and a body of exactly the limit is allowed")
    func limit() async throws {
        let closed = Signal()
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.answer(body: "12345")
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            while connection.write("1234567890") {}
            closed.set()
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let exact = try await transport.fetch(HTTPRequest(url: server.url), maxBodyBytes: 5)
        #expect(exact.body.count == 5)
        let error = await transportError {
            try await transport.fetch(HTTPRequest(url: server.url), maxBodyBytes: 5)
        }
        #expect(error?.kind == .tooLarge)
        #expect(error?.cause.contains("5 bytes") == true)
        #expect(await eventually { closed.isSet })
        await transport.shutdown()
    }

    @Test("many concurrent streams do not disturb each other", .timeLimit(.minutes(1)))
    func manyStreams() async throws {
        let server = try ScriptedServer { connection in
            guard let request = connection.readRequest() else { return }
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in 0..<50 { connection.chunk("\(request.target):\(number)\n") }
            connection.write("0\r\n\r\n")
        }
        defer { server.stop() }
        let transport = try makeTransport(maxConnectionsPerHost: nil)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for stream in 0..<40 {
                group.addTask {
                    let answer = try await transport.text(HTTPRequest(url: "\(server.url)/\(stream)"))
                    return answer.text == (0..<50).map { "/\(stream):\($0)\n" }.joined()
                }
            }
            for try await isWhole in group { #expect(isWhole) }
        }
        await transport.shutdown()
    }
}
