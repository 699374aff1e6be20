import HTTPTransport
import Testing
import TransportPeers

@Suite("Redirects", .timeLimit(.minutes(1))) struct RedirectTests {
    /// A server that redirects `/from` to a location with a status, and logs the requests.
    private func server(_ log: Log<ReceivedRequest>, _ status: String, to location: String) throws -> ScriptedServer {
        try ScriptedServer { connection in
            while let request = connection.readRequest() {
                log.append(request)
                if request.target == "/from" {
                    connection.answer(status, headers: ["Location: \(location)"])
                } else {
                    connection.answer(body: "arrived")
                }
            }
        }
    }

    @Test(
        "the status determines whether a redirect keeps the method and the body",
        arguments: [
            ("301 Moved", "POST", "GET"), ("302 Found", "POST", "GET"), ("302 Found", "PUT", "PUT"),
            ("303 See Other", "PUT", "GET"), ("307 Temporary", "POST", "POST"), ("308 Permanent", "PATCH", "PATCH"),
        ])
    func methods(_ status: String, _ method: String, _ expected: String) async throws {
        let log = Log<ReceivedRequest>()
        let server = try server(log, status, to: "to?x=1")
        defer { server.stop() }
        let transport = try makeTransport()
        let request = HTTPRequest(
            method: HTTPMethod(rawValue: method), url: server.url + "/from",
            headers: ["Content-Type": "text/plain", "Authorization": "Bearer k"], body: .bytes(Array("body".utf8)))
        let (head, body) = try await transport.fetch(request, maxBodyBytes: 100)
        #expect(head.status == 200)
        #expect(head.url == server.url + "/to?x=1")
        #expect(body == Array("arrived".utf8))
        let second = try #require(log.all.last)
        #expect(second.method == expected)
        #expect(second.target == "/to?x=1")
        #expect(second.body == (expected == "GET" ? [] : Array("body".utf8)))
        #expect(second.value("Content-Type") == (expected == "GET" ? nil : "text/plain"))
        #expect(second.value("Authorization") == "Bearer k")
        // A redirect without a body keeps the connection usable.
        #expect(server.connectionCount == 1)
        await transport.shutdown()
    }

    @Test(
        "a request that may have a body is not redirected to another origin, and the error names both",
        arguments: ["301 Moved", "303 See Other", "307 Temporary", "308 Permanent"], ["POST", "PATCH", "DELETE"])
    func bodies(_ status: String, _ method: String) async throws {
        let log = Log<ReceivedRequest>()
        let target = try server(log, "200 OK", to: "")
        defer { target.stop() }
        let first = try server(Log(), status, to: target.url + "/to")
        defer { first.stop() }
        let transport = try makeTransport()
        let error = await transportError {
            try await transport.text(
                HTTPRequest(
                    method: HTTPMethod(rawValue: method), url: first.url + "/from", body: .bytes(Array("body".utf8))))
        }
        #expect(error?.kind == .protocolViolation)
        #expect(error?.cause.contains(first.url) == true && error?.cause.contains(target.url) == true)
        #expect(log.all.isEmpty)
        await transport.shutdown()
    }

    @Test("credentials and headers set by the user or the worker are not sent to another origin")
    func crossOrigin() async throws {
        let log = Log<ReceivedRequest>()
        let target = try server(log, "200 OK", to: "")
        defer { target.stop() }
        let first = try server(Log(), "307 Temporary", to: target.url + "/to")
        defer { first.stop() }
        let transport = try makeTransport()
        let request = HTTPRequest(
            url: "http://user:pw@127.0.0.1:\(first.port)/from",
            headers: [
                "Authorization": "Bearer k", "Cookie": "c", "Host": "first.test", "X-Own": "1", "Accept": "*/*",
                "Prefect-Csrf-Token": "t", "X-Prefect-Worker-Name": "w",
            ])
        #expect(try await transport.text(request).text == "arrived")
        let arrived = try #require(log.all.first)
        #expect(arrived.value("Authorization") == nil)
        #expect(arrived.value("Cookie") == nil)
        #expect(arrived.value("Host") == "127.0.0.1:\(target.port)")
        for name in ["X-Own", "Prefect-Csrf-Token", "X-Prefect-Worker-Name"] { #expect(arrived.value(name) == nil) }
        #expect(arrived.value("Accept") == "*/*")
        await transport.shutdown()
    }

    @Test("a redirect within the same origin keeps the user and password of the URL")
    func sameOriginCredentials() async throws {
        let log = Log<ReceivedRequest>()
        let server = try server(log, "302 Found", to: "/to")
        defer { server.stop() }
        let transport = try makeTransport()
        _ = try await transport.text(HTTPRequest(url: "http://user:pw@127.0.0.1:\(server.port)/from"))
        #expect(log.all.map { $0.value("Authorization") } == ["Basic dXNlcjpwdw==", "Basic dXNlcjpwdw=="])
        await transport.shutdown()
    }

    @Test("a redirect is returned as the response when following is disabled or the location is missing")
    func notFollowed() async throws {
        let server = try server(Log(), "302 Found", to: "/to")
        defer { server.stop() }
        let nowhere = try ScriptedServer { connection in
            _ = connection.readRequest()
            connection.answer("302 Found")
        }
        defer { nowhere.stop() }
        let transport = try makeTransport()
        let answer = try await transport.send(HTTPRequest(url: server.url + "/from", followRedirects: false))
        #expect(answer.status == 302)
        #expect(answer.headers["location"] == "/to")
        #expect(try await transport.text(HTTPRequest(url: nowhere.url)).status == 302)
        await transport.shutdown()
    }

    @Test("a redirect loop fails after 20 redirects", arguments: ["/from", "http://127.0.0.1:PORT/from"])
    func circle(_ location: String) async throws {
        let log = Log<ReceivedRequest>()
        let server = try ScriptedServer { connection in
            while let request = connection.readRequest() {
                log.append(request)
                let host = request.value("Host") ?? ""
                connection.answer(
                    "302 Found", headers: ["Location: \(location.replacing("127.0.0.1:PORT", with: host))"])
            }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let error = await transportError { try await transport.text(HTTPRequest(url: server.url + "/from")) }
        #expect(error?.kind == .protocolViolation)
        #expect(error?.cause.contains("20 redirects") == true)
        #expect(log.all.count == 21)
        await transport.shutdown()
    }

    @Test(
        "a redirect to a URL that is not HTTP is refused",
        arguments: ["file:///etc/passwd", "ftp://x/", "http://"])
    func scheme(_ location: String) async throws {
        let server = try server(Log(), "302 Found", to: location)
        defer { server.stop() }
        let transport = try makeTransport()
        let error = await transportError { try await transport.text(HTTPRequest(url: server.url + "/from")) }
        #expect(error?.kind == .protocolViolation)
        await transport.shutdown()
    }

    @Test("a redirect from a Unix socket to another host is refused")
    func socket() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = directory.path + "/s"
        let server = try ScriptedServer(unixSocketPath: path) { connection in
            while let request = connection.readRequest() {
                switch request.target {
                case "/out": connection.answer("302 Found", headers: ["Location: http://elsewhere.test/"])
                case "/in": connection.answer("302 Found", headers: ["Location: http://engine/there"])
                default: connection.answer(body: "there")
                }
            }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let inside = HTTPRequest(url: "http://engine/in", unixSocketPath: path)
        #expect(try await transport.text(inside).text == "there")
        let error = await transportError {
            try await transport.text(HTTPRequest(url: "http://engine/out", unixSocketPath: path))
        }
        #expect(error?.kind == .protocolViolation)
        await transport.shutdown()
    }
}
