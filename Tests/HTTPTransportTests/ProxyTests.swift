import Glibc
import HTTPTransport
import Testing
import TransportPeers

@Suite("Proxies", .timeLimit(.minutes(1))) struct ProxyTests {
    /// The error of a request for an http or https URL through a proxy that runs this handler.
    private func error(
        url: String, _ handler: @escaping ScriptedServer.Handler
    ) async throws -> TransportError? {
        let proxy = try ScriptedServer(handler)
        defer { proxy.stop() }
        return try await error(url: url, proxy: "http://me:secret@127.0.0.1:\(proxy.port)")
    }

    private func error(url: String, proxy: String) async throws -> TransportError? {
        let transport = try makeTransport(proxies: ProxyPolicy(environment: ["ALL_PROXY": proxy]))
        let error = await transportError { try await transport.text(HTTPRequest(url: url)) }
        #expect(error?.description.contains("secret") == false)
        await transport.shutdown()
        return error
    }

    @Test("a proxied http request has an absolute URL, the proxy's credentials and its own")
    func forward() async throws {
        let asked = Log<ReceivedRequest>()
        let proxy = try ScriptedServer { connection in
            while let request = connection.readRequest() {
                asked.append(request)
                connection.answer(body: "from the proxy")
            }
        }
        defer { proxy.stop() }
        let policy = ProxyPolicy(environment: [
            "HTTP_PROXY": "http://me:secret@127.0.0.1:\(proxy.port)", "NO_PROXY": "direct.test",
        ])
        let transport = try makeTransport(proxies: policy)
        let answer = try await transport.text(
            HTTPRequest(url: "http://user:pw@api.test/path?q=1", headers: ["X-A": "1"]))
        #expect(answer.text == "from the proxy")
        let request = try #require(asked.all.first)
        #expect(request.target == "http://api.test/path?q=1")
        #expect(request.value("Host") == "api.test")
        // base64 of "me:secret" and "user:pw"
        #expect(request.value("Proxy-Authorization") == "Basic bWU6c2VjcmV0")
        #expect(request.value("Authorization") == "Basic dXNlcjpwdw==")
        await transport.shutdown()
    }

    @Test("the proxy policy overrides the proxy variables that libcurl finds in the environment")
    func environment() async {
        // The test runs in its own process because all tests share the environment.
        await #expect(processExitsWith: .success) {
            let server = try ScriptedServer { connection in
                while let request = connection.readRequest() { connection.answer(body: request.target) }
            }
            setenv("no_proxy", "*", 1)
            let proxied = try makeTransport(proxies: ProxyPolicy(environment: ["http_proxy": server.url]))
            let forwarded = try await proxied.text(HTTPRequest(url: "http://127.0.0.2/x")).text
            unsetenv("no_proxy")
            setenv("http_proxy", "http://127.0.0.1:1", 1)
            let direct = try await makeTransport().text(HTTPRequest(url: server.url + "/x")).text
            // A failed expectation in this process would not fail the test by itself.
            guard forwarded == "http://127.0.0.2/x", direct == "/x" else { exit(EXIT_FAILURE) }
        }
    }

    @Test("hosts in no_proxy are reached directly")
    func direct() async throws {
        let server = try ScriptedServer { connection in
            while connection.readRequest() != nil { connection.answer(body: "direct") }
        }
        defer { server.stop() }
        let policy = ProxyPolicy(environment: ["http_proxy": "http://127.0.0.1:1", "no_proxy": "127.0.0.0/8"])
        let transport = try makeTransport(proxies: policy)
        #expect(try await transport.text(HTTPRequest(url: server.url)).text == "direct")
        await transport.shutdown()
    }

    @Test("a redirect uses the proxy of its target host")
    func redirect() async throws {
        let server = try ScriptedServer { connection in
            while connection.readRequest() != nil { connection.answer(body: "direct") }
        }
        defer { server.stop() }
        let target = server.url
        let proxy = try ScriptedServer { connection in
            while connection.readRequest() != nil {
                connection.answer("302 Found", headers: ["Location: \(target)/x"])
            }
        }
        defer { proxy.stop() }
        let policy = ProxyPolicy(environment: [
            "http_proxy": "127.0.0.1:\(proxy.port)", "no_proxy": "127.0.0.1",
        ])
        let transport = try makeTransport(proxies: policy)
        #expect(try await transport.text(HTTPRequest(url: "http://api.test/")).text == "direct")
        await transport.shutdown()
    }

    @Test(
        "a tunnel that the proxy refuses fails with a proxy error", arguments: ["403 Forbidden", "407 Who", "502 Bad"])
    func refusedTunnel(_ status: String) async throws {
        let error = try await error(url: "https://api.test/") { connection in
            _ = connection.readRequest()
            connection.answer(status, headers: ["Proxy-Authenticate: Basic realm=\"x\"", "Connection: close"])
        }
        #expect(error?.kind == .proxy)
        #expect(error?.requestMayHaveBeenSent == false)
        #expect(error?.cause.contains("127.0.0.1") == true)
    }

    @Test("status 407 for an http URL is a proxy error")
    func refusedForward() async throws {
        let error = try await error(url: "http://api.test/") { connection in
            _ = connection.readRequest()
            connection.answer("407 Proxy Authentication Required")
        }
        #expect(error?.kind == .proxy)
    }

    @Test("a proxy that closes the connection before the tunnel is open causes a proxy error")
    func brokenTunnel() async throws {
        let error = try await error(url: "https://api.test/") { _ = $0.readRequest() }
        #expect(error?.kind == .proxy)
        #expect(error?.requestMayHaveBeenSent == false)
    }

    @Test("an unreachable or invalid proxy causes a proxy error without the proxy's password")
    func unusable() async throws {
        let port = try Sockets.closedPort()
        for url in ["http://api.test/", "https://api.test/"] {
            for proxy in [
                "http://me:secret@127.0.0.1:\(port)", "http://me:secret@nowhere.invalid:1",
                "gopher://me:secret@127.0.0.1", "http://me:secret@127.0.0.1:x", "socks5://me:secret@127.0.0.1:\(port)",
            ] {
                let error = try await error(url: url, proxy: proxy)
                #expect(error?.kind == .proxy, "\(proxy)")
                #expect(error?.requestMayHaveBeenSent == false)
            }
        }
    }
}
