import HTTPTransport
import Testing
import TransportPeers

@Suite("Requests and answers") struct RequestTests {
    /// A server that answers every request on any number of connections, and logs the requests.
    private func recordingServer(_ log: Log<ReceivedRequest>, body: String = "ok") throws -> ScriptedServer {
        try ScriptedServer { connection in
            while let request = connection.readRequest() {
                log.append(request)
                connection.answer(headers: ["X-A: 1", "x-a: 2"], body: request.method == "HEAD" ? "" : body)
            }
        }
    }

    @Test("a GET returns status, headers, version and body")
    func get() async throws {
        let log = Log<ReceivedRequest>()
        let server = try recordingServer(log, body: "hello")
        defer { server.stop() }
        let transport = try makeTransport()
        let response = try await transport.send(HTTPRequest(url: server.url + "/a/../b?x=1#fragment"))
        #expect(response.status == 200)
        #expect(response.version == .http11)
        #expect(response.headers.values(for: "x-A") == ["1", "2"])
        #expect(try await response.body.collect(upTo: 5) == Array("hello".utf8))
        let request = try #require(log.all.first)
        #expect(request.method == "GET")
        #expect(request.target == "/a/../b?x=1")
        #expect(request.value("Accept-Encoding") == "gzip, deflate")
        await transport.shutdown()
    }

    @Test("a POST sends its body unchanged, with the given headers and one correct length")
    func post() async throws {
        let log = Log<ReceivedRequest>()
        let server = try recordingServer(log)
        defer { server.stop() }
        let transport = try makeTransport()
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
        var headers: HTTPHeaders = [
            "Content-Type": "application/json", "X-Name": "wörker 蟹", "X-Empty": "", "Content-Length": "7",
            "Transfer-Encoding": "chunked", "User-Agent": "prefect/3.8.8 (API 0.8.4)",
        ]
        headers.add("X-Twice", "1")
        headers.add("X-Twice", "2")
        _ = try await transport.text(
            HTTPRequest(method: .post, url: server.url, headers: headers, body: .bytes(bytes)))
        let request = try #require(log.all.first)
        #expect(request.method == "POST")
        #expect(request.body == bytes)
        #expect(request.values("Content-Type") == ["application/json"])
        #expect(request.values("Content-Length") == ["200000"])
        #expect(request.values("Transfer-Encoding") == [])
        #expect(request.value("X-Name") == "wörker 蟹")
        #expect(request.values("X-Empty") == [""])
        #expect(request.values("X-Twice") == ["1", "2"])
        #expect(request.values("User-Agent") == ["prefect/3.8.8 (API 0.8.4)"])
        #expect(request.value("Expect") == nil)
        await transport.shutdown()
    }

    @Test(
        "every method is sent under its name, with a Content-Length where a body is expected",
        arguments: [
            ("PUT", "0"), ("PATCH", "0"), ("POST", "0"), ("DELETE", nil), ("OPTIONS", nil), ("GET", nil),
            ("HEAD", nil),
        ] as [(String, String?)])
    func methods(_ name: String, _ length: String?) async throws {
        let log = Log<ReceivedRequest>()
        let server = try recordingServer(log)
        defer { server.stop() }
        let transport = try makeTransport()
        let answer = try await transport.text(HTTPRequest(method: HTTPMethod(rawValue: name), url: server.url))
        #expect(answer.status == 200)
        #expect(log.all.map(\.method) == [name])
        #expect(log.all.first?.value("Content-Length") == length)
        #expect(log.all.first?.value("Content-Type") == nil)
        await transport.shutdown()
    }

    @Test("a body of more than a megabyte is sent without Expect: 100-continue")
    func noExpectation() async throws {
        let log = Log<ReceivedRequest>()
        let server = try recordingServer(log)
        defer { server.stop() }
        let transport = try makeTransport()
        let body = [UInt8](repeating: 1, count: 3 << 20)
        _ = try await transport.text(HTTPRequest(method: .post, url: server.url, body: .bytes(body)))
        #expect(log.all.first?.value("Expect") == nil)
        #expect(log.all.first?.body.count == body.count)
        await transport.shutdown()
    }

    @Test("one connection serves consecutive requests")
    func keepAlive() async throws {
        let log = Log<ReceivedRequest>()
        let server = try recordingServer(log)
        defer { server.stop() }
        let transport = try makeTransport()
        for _ in 0..<20 { _ = try await transport.text(HTTPRequest(url: server.url)) }
        #expect(log.all.count == 20)
        #expect(server.connectionCount == 1)
        await transport.shutdown()
    }

    @Test("requests beyond the connection limit wait, and all of them are answered")
    func connectionLimit() async throws {
        let server = try ScriptedServer { connection in
            while connection.readRequest() != nil { connection.answer() }
        }
        defer { server.stop() }
        let transport = try makeTransport(maxConnectionsPerHost: 3)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<40 {
                group.addTask { try await transport.text(HTTPRequest(url: server.url)).status }
            }
            for try await status in group { #expect(status == 200) }
        }
        #expect(server.connectionCount <= 3)
        await transport.shutdown()
    }

    @Test("a request that waits for a connection ends when the transport shuts down or its task is cancelled")
    func waitingEnds() async throws {
        let asked = Signal()
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            asked.set()
            connection.waitForPeerToClose()
        }
        defer { server.stop() }
        let transport = try makeTransport(maxConnectionsPerHost: 1)
        let kinds = await withTaskGroup(of: TransportError.Kind?.self) { group in
            for _ in 0..<5 {
                group.addTask { await transportError { try await transport.text(HTTPRequest(url: server.url)) }?.kind }
            }
            #expect(await eventually { asked.isSet })
            let cancelled = await withTaskGroup(of: TransportError?.self) { inner in
                inner.addTask { await transportError { try await transport.text(HTTPRequest(url: server.url)) } }
                inner.cancelAll()
                return await inner.next() ?? nil
            }
            #expect(cancelled?.kind == .cancelled)
            await transport.shutdown()
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(kinds == Array(repeating: .shutDown, count: 5))
        #expect(server.connectionCount == 1)
    }

    @Test("a kept connection that the server has closed is replaced without an error")
    func staleConnection() async throws {
        let server = try ScriptedServer { connection in
            // The server closes each connection after one request, without announcing it.
            if connection.readRequest() != nil { connection.answer() }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        for _ in 0..<5 {
            let request = HTTPRequest(method: .post, url: server.url, body: .bytes([1]))
            #expect(try await transport.text(request).status == 200)
        }
        #expect(server.connectionCount == 5)
        await transport.shutdown()
    }

    @Test("interim responses are skipped")
    func interim() async throws {
        let server = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
            connection.write("HTTP/1.1 102 Processing\r\n\r\n")
            connection.answer("202 Accepted", body: "x")
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let response = try await transport.send(HTTPRequest(url: server.url))
        #expect(response.status == 202)
        #expect(!response.headers.contains("Link"))
        await transport.shutdown()
    }

    @Test("a compressed body is decompressed unless the request disables it")
    func compression() async throws {
        let bytes = gzipFixture
        let server = try ScriptedServer { connection in
            while connection.readRequest() != nil {
                connection.answer(headers: ["Content-Encoding: gzip"], bytes: bytes)
            }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        #expect(try await transport.text(HTTPRequest(url: server.url)).text == "compressed text, compressed text")
        let raw = try await transport.fetch(HTTPRequest(url: server.url, decompress: false), maxBodyBytes: 1000)
        #expect(raw.body == bytes)
        await transport.shutdown()
    }

    @Test("a request to a Unix socket uses the socket's path and no proxy")
    func unixSocket() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = directory.path + "/engine.sock"
        let log = Log<ReceivedRequest>()
        let server = try ScriptedServer(unixSocketPath: path) { connection in
            while let request = connection.readRequest() {
                log.append(request)
                connection.answer(body: "engine")
            }
        }
        defer { server.stop() }
        let transport = try makeTransport(proxies: ProxyPolicy(environment: ["ALL_PROXY": "http://127.0.0.1:1"]))
        let answer = try await transport.text(HTTPRequest(url: "http://docker/version", unixSocketPath: path))
        #expect(answer.text == "engine")
        #expect(log.all.first?.target == "/version")
        #expect(log.all.first?.value("Host") == "docker")

        let missing = await transportError {
            try await transport.text(HTTPRequest(url: "http://docker/version", unixSocketPath: path + ".gone"))
        }
        #expect(missing?.kind == .couldNotConnect)
        #expect(missing?.description.contains(path + ".gone") == true)
        #expect(missing?.cause.contains("No such file") == true)
        await transport.shutdown()
    }

    @Test("the user and password of the URL become basic authentication")
    func userinfo() async throws {
        let log = Log<ReceivedRequest>()
        let server = try recordingServer(log)
        defer { server.stop() }
        let transport = try makeTransport()
        _ = try await transport.text(HTTPRequest(url: "http://me:p%40ss@127.0.0.1:\(server.port)/"))
        // base64 of "me:p@ss"
        #expect(log.all.first?.value("Authorization") == "Basic bWU6cEBzcw==")
        await transport.shutdown()
    }

    @Test(
        "a header that would break out of its line is refused before anything is sent",
        arguments: [
            ("X-A", "a\r\nX-B: b"), ("X-A", "a\nb"), ("X-A", "a\rb"), ("X-A", "a\0b"), ("X\r\nY", "a"), ("X Y", "a"),
            ("X:", "a"), ("", "a"), ("X\0", "a"), ("Xé", "a"),
        ])
    func injection(_ name: String, _ value: String) async throws {
        let server = try ScriptedServer { _ in }
        defer { server.stop() }
        let transport = try makeTransport()
        let error = await transportError {
            try await transport.text(HTTPRequest(url: server.url, headers: [name: value]))
        }
        #expect(error?.kind == .invalidRequest)
        #expect(error?.requestMayHaveBeenSent == false)
        #expect(error?.description.contains(where: \.isNewline) == false)
        #expect(server.connectionCount == 0)
        await transport.shutdown()
    }

    @Test(
        "a URL or method that cannot be sent is refused",
        arguments: [
            ("GET", "ftp://x/"), ("GET", "/relative"), ("GET", ""), ("GET", "http://"), ("GET", "http://a b/"),
            ("GET", "file:///etc/passwd"), ("GET", "http://127.0.0.1/\0"), ("GE T", "http://127.0.0.1/"),
            ("", "http://127.0.0.1/"), ("G\r\nX: 1", "http://127.0.0.1/"), ("GET", "http://127.0.0.1:99999/"),
        ])
    func invalid(_ method: String, _ url: String) async throws {
        let transport = try makeTransport()
        let error = await transportError {
            try await transport.text(HTTPRequest(method: HTTPMethod(rawValue: method), url: url))
        }
        #expect(error?.kind == .invalidRequest)
        #expect(error?.requestMayHaveBeenSent == false)
        await transport.shutdown()
    }
}
