import Testing

@testable import HealthServer

@Suite("Hostile clients of a health server", .timeLimit(.minutes(1)))
struct HostileClientTests {
    @Test("a client that never sends a request is disconnected")
    func silent() async throws {
        try await withServer(limits: .wide(idleTime: .milliseconds(50))) { port in
            let client = try TestClient(port: port)
            #expect(try await client.waitForClose().isEmpty)
        }
    }

    @Test("a client that sends its headers byte by byte is disconnected")
    func slowHeaders() async throws {
        try await withServer(limits: .wide(idleTime: .milliseconds(100))) { port in
            let client = try TestClient(port: port)
            client.send("GET /health HTTP/1.1\r\n")
            async let _: Void = {
                while !Task.isCancelled {
                    client.send("A")
                    try? await Task.sleep(for: .milliseconds(10))
                }
            }()
            let answer = try await client.waitForClose()
            #expect(answer.isEmpty)
        }
    }

    @Test("a client that announces a body and does not send it is disconnected")
    func slowBody() async throws {
        try await withServer(limits: .wide(requestTime: .milliseconds(100))) { port in
            let client = try TestClient(port: port)
            client.send("POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
            _ = try await client.waitForClose()
        }
    }

    @Test(
        "an unknown transfer coding gets status 501, and its connection is closed",
        arguments: ["gzip", "xchunked", "identity", "gzip, chunked"])
    func codings(coding: String) async throws {
        try await withServer { port in
            let client = try TestClient(port: port)
            client.send(
                "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: \(coding)\r\n\r\n0\r\n\r\n")
            let answer = try await client.waitForClose()
            #expect(answer.hasPrefix("HTTP/1.1 501 "), "\(answer)")
        }
    }

    @Test("a body that is too long ends its connection")
    func longBody() async throws {
        try await withServer { port in
            let client = try TestClient(port: port)
            client.send("POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            for _ in 0..<20 { client.send(String(repeating: "x", count: 1000)) }
            _ = try await client.waitForClose()
        }
    }

    @Test("a route that hangs is ended after the request time")
    func hangingRoute() async throws {
        let (never, end) = AsyncStream.makeStream(of: Void.self)
        let hanging = StatusRoute(path: "/hangs") {
            for await _ in never {}
            return .message("late", status: 200)
        }
        try await withServer(routes: [hanging], limits: .wide(requestTime: .milliseconds(100))) { port in
            let client = try TestClient(port: port)
            client.send("GET /hangs HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await client.waitForClose().isEmpty)
            end.finish()
        }
    }

    @Test(
        "an oversized head or a request that is not HTTP is refused",
        arguments: [
            "GET /health HTTP/1.1\r\nX: \(String(repeating: "x", count: 10_000))\r\n\r\n",
            "GET /\(String(repeating: "x", count: 10_000)) HTTP/1.1\r\n\r\n",
            "GET /health HTTP/1.1\r\n\(String(repeating: "A: b\r\n", count: 100))\r\n",
            "this is not HTTP\r\n\r\n",
        ])
    func refused(request: String) async throws {
        try await withServer { port in
            let client = try TestClient(port: port)
            client.send(request)
            let answer = try await client.waitForClose()
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 400"))
        }
    }

    @Test("clients that hold idle connections do not lock out a probe")
    func heldConnections() async throws {
        try await withServer(limits: .wide(connections: 4)) { port in
            let holders = try (0..<20).map { _ in try TestClient(port: port) }
            let health = try await TestClient.request("GET /health", port: port)
            #expect(health.status == 200)
            #expect(try await holders[0].waitForClose().isEmpty)
            withExtendedLifetime(holders) {}
        }
    }
}
