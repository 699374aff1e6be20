import HTTPTransport
import Testing
import TransportPeers

@Suite(
    "TLS", .serialized, .enabled(if: Certificates.isPossible, "the openssl command is not installed"),
    .timeLimit(.minutes(1)))
struct TLSTests {
    private let certificates: Certificates

    init() throws {
        certificates = try Certificates.shared.get()
    }

    private func outcome(
        _ server: TLSServer, _ tls: TLSConfiguration, host: String = "127.0.0.1"
    ) async throws -> Result<String, TransportError> {
        let transport = try makeTransport()
        let request = HTTPRequest(url: "https://\(host):\(server.port)/", tls: tls)
        let result: Result<String, TransportError>
        do throws(TransportError) {
            let (head, body) = try await transport.fetch(request, maxBodyBytes: 1 << 20)
            #expect(head.status == 200)
            result = .success(String(decoding: body, as: UTF8.self))
        } catch {
            result = .failure(error)
        }
        await transport.shutdown()
        return result
    }

    private func kind(_ result: Result<String, TransportError>) -> TransportError.Kind? {
        if case .failure(let error) = result { error.kind } else { nil }
    }

    @Test("a private authority from a file or from memory is trusted, and only where it is configured")
    func authorities() async throws {
        let server = try TLSServer(certificates)
        defer { server.stop() }
        #expect(kind(try await outcome(server, certificates.trusted)) == nil)
        let inMemory = TLSConfiguration(authorities: .pem(try certificates.bytes("ca.pem")))
        #expect(kind(try await outcome(server, inMemory)) == nil)
        guard case .failure(let error) = try await outcome(server, TLSConfiguration()) else {
            Issue.record("an unknown authority was trusted")
            return
        }
        #expect(error.kind == .tls)
        #expect(!error.requestMayHaveBeenSent)
        #expect(error.remedy != nil)
    }

    @Test("a server is refused when the configured authority did not sign its certificate or cannot be read")
    func replaced() async throws {
        let server = try TLSServer(certificates)
        defer { server.stop() }
        let other = TLSConfiguration(authorities: .file(certificates.path("client.pem")))
        #expect(kind(try await outcome(server, other)) == .tls)
        let missing = TLSConfiguration(authorities: .file(certificates.path("gone.pem")))
        #expect(kind(try await outcome(server, missing)) == .tls)
    }

    @Test("a certificate for another name is refused unless the configuration expects that name")
    func serverName() async throws {
        let server = try TLSServer(certificates, certificate: "named")
        defer { server.stop() }
        #expect(kind(try await outcome(server, certificates.trusted)) == .tls)
        var named = certificates.trusted
        named.serverName = "api.cluster.test"
        #expect(kind(try await outcome(server, named)) == nil)
        named.serverName = "other.cluster.test"
        #expect(kind(try await outcome(server, named)) == .tls)
        named.serverName = "not/a/name"
        #expect(kind(try await outcome(server, named)) == .invalidRequest)
    }

    @Test("without verification, neither the authority nor the name is checked")
    func unverified() async throws {
        let server = try TLSServer(certificates, certificate: "named")
        defer { server.stop() }
        #expect(kind(try await outcome(server, TLSConfiguration(verifyPeer: false))) == nil)
    }

    @Test("a client certificate is presented from files and from memory")
    func clientCertificate() async throws {
        let server = try TLSServer(certificates, demandsClientCertificate: true)
        defer { server.stop() }
        var tls = certificates.trusted
        #expect(kind(try await outcome(server, tls)) == .tls)
        tls.clientCertificate = .files(
            certificate: certificates.path("client.pem"), key: certificates.path("client.key"))
        guard case .success(let page) = try await outcome(server, tls) else {
            Issue.record("the certificate in files was refused")
            return
        }
        #expect(page.contains("a client"))
        tls.clientCertificate = .pem(
            certificate: try certificates.bytes("client.pem"), key: try certificates.bytes("client.key"))
        #expect(kind(try await outcome(server, tls)) == nil)
        tls.clientCertificate = .pem(certificate: [1, 2, 3], key: [4])
        #expect(kind(try await outcome(server, tls)) == .tls)
    }

    @Test("TLS configurations on one transport share neither connections nor trust")
    func separation() async throws {
        let server = try TLSServer(certificates)
        defer { server.stop() }
        let transport = try makeTransport()
        let trusted = HTTPRequest(url: server.url, tls: certificates.trusted)
        #expect(try await transport.text(trusted).status == 200)
        let error = await transportError { try await transport.text(HTTPRequest(url: server.url)) }
        #expect(error?.kind == .tls)
        #expect(try await transport.text(trusted).status == 200)
        await transport.shutdown()
    }

    @Test("a server without TLS causes a TLS error")
    func plainServer() async throws {
        let server = try ScriptedServer { connection in
            _ = connection.read()
            connection.write("HTTP/1.1 400 Bad Request\r\n\r\n")
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let error = await transportError {
            try await transport.text(HTTPRequest(url: "https://127.0.0.1:\(server.port)/"))
        }
        #expect(error?.kind == .tls)
        #expect(error?.requestMayHaveBeenSent == false)
        await transport.shutdown()
    }

    @Test("a connection that ends during the handshake fails with couldNotConnect", arguments: [true, false])
    func brokenHandshake(withReset: Bool) async throws {
        let server = try ScriptedServer { connection in
            _ = connection.read()
            if withReset { connection.reset() }
        }
        defer { server.stop() }
        let transport = try makeTransport()
        let error = await transportError {
            try await transport.text(HTTPRequest(url: "https://127.0.0.1:\(server.port)/"))
        }
        #expect(error?.kind == .couldNotConnect)
        #expect(error?.requestMayHaveBeenSent == false)
        await transport.shutdown()
    }

    @Test("an https request uses the proxy's tunnel, and the proxy sees none of its headers")
    func tunnel() async throws {
        let server = try TLSServer(certificates)
        defer { server.stop() }
        let asked = Log<ReceivedRequest>()
        let proxy = try ScriptedServer { connection in
            guard let request = connection.readRequest() else { return }
            asked.append(request)
            _ = connection.tunnel(toPort: server.port)
        }
        defer { proxy.stop() }
        let policy = ProxyPolicy(environment: ["HTTPS_PROXY": "http://me:pa%20ss@127.0.0.1:\(proxy.port)"])
        let transport = try makeTransport(tls: certificates.trusted, proxies: policy)
        let answer = try await transport.text(
            HTTPRequest(url: server.url, headers: ["Authorization": "Bearer secret"]))
        #expect(answer.status == 200)
        #expect(answer.text.contains("s_server"))
        let request = try #require(asked.all.first)
        #expect(request.method == "CONNECT")
        #expect(request.target == "127.0.0.1:\(server.port)")
        #expect(request.value("Authorization") == nil)
        // base64 of "me:pa ss"
        #expect(request.value("Proxy-Authorization") == "Basic bWU6cGEgc3M=")
        await transport.shutdown()
    }

    @Test("HTTP/1 is used when HTTP/2 is allowed but the server does not offer it")
    func fallback() async throws {
        let server = try TLSServer(certificates)
        defer { server.stop() }
        let transport = try makeTransport(http2: true, tls: certificates.trusted)
        let response = try await transport.send(HTTPRequest(url: server.url))
        #expect(response.version == .http10)
        await transport.shutdown()
    }
}

@Suite(
    "HTTP/2", .serialized,
    .enabled(
        if: Certificates.isPossible && ChildProcess.isInstalled("nghttpd"), "nghttpd or openssl is not installed"),
    .timeLimit(.minutes(1)))
struct HTTP2Tests {
    @Test("HTTP/2 is used where offered and allowed, and unread or abandoned bodies do not block other requests")
    func negotiated() async throws {
        let certificates = try Certificates.shared.get()
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let size = 4 << 20
        try writeFile(directory.path + "/large", bytes: [UInt8](repeating: 7, count: size))
        try writeFile(directory.path + "/small", bytes: Array("small".utf8))
        let port = try Sockets.closedPort()
        let server = try ChildProcess([
            "nghttpd", "--address=127.0.0.1", "-d", directory.path, String(port), certificates.path("server.key"),
            certificates.path("server.pem"),
        ])
        defer { server.kill() }
        #expect(
            await eventually {
                guard let probe = Sockets.connectToLoopback(port: port) else { return false }
                Connection(probe).close()
                return true
            })
        let url = "https://127.0.0.1:\(port)"
        let transport = try makeTransport(http2: true, tls: certificates.trusted)
        let response = try await transport.send(HTTPRequest(url: url + "/large"))
        #expect(response.version == .http2)
        #expect(response.status == 200)
        // One response is not read yet, and this one is abandoned. The connection must still serve other requests.
        var abandoned: HTTPResponse? = try await transport.send(HTTPRequest(url: url + "/large"))
        #expect(abandoned?.status == 200)
        abandoned = nil
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<30 {
                group.addTask {
                    let request = HTTPRequest(
                        method: .post, url: url + "/small", headers: ["Content-Type": "application/json"],
                        body: .bytes([UInt8](repeating: 0x20, count: 1000)))
                    return try await transport.text(request).status
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses == Array(repeating: 200, count: 30))
        // A handle that libcurl keeps a buffer for would refuse a buffer of another size.
        var silent = HTTPRequest(url: url + "/small")
        silent.isMostlySilent = true
        #expect(try await transport.text(silent).status == 200)
        #expect(try await response.body.collect(upTo: size).count == size)
        await transport.shutdown()
    }
}
