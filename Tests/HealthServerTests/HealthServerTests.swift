import HealthServer
import Logging
import TestSupport
import Testing

@Suite("Health server", .timeLimit(.minutes(1)))
struct HealthServerTests {
    @Test("a live worker gets status 200 from /health, and a ready one from /ready")
    func goodProbes() async throws {
        try await withServer { port in
            let health = try await TestClient.request("GET /health", port: port)
            #expect(health.status == 200)
            #expect(health.body == #"{"message":"OK"}"#)
            #expect(health.head.contains("content-type: application/json"))
            let ready = try await TestClient.request("GET /ready?verbose=1", port: port)
            #expect(ready.status == 200)
            #expect(ready.body == #"{"message":"OK"}"#)
        }
    }

    @Test("a stuck worker gets the Python worker's message, and an unready one its reason")
    func badProbes() async throws {
        try await withServer(liveness: .bad("stuck"), readiness: .bad(#"pool "etl" is gone"#)) { port in
            let health = try await TestClient.request("GET /health", port: port)
            #expect(health.status == 503)
            #expect(health.body == #"{"message":"Worker may be unresponsive at this time"}"#)
            let ready = try await TestClient.request("GET /ready", port: port)
            #expect(ready.status == 503)
            #expect(ready.body == #"{"message":"pool \"etl\" is gone"}"#)
        }
    }

    @Test("HEAD has the headers of GET and no body")
    func head() async throws {
        try await withServer { port in
            let answer = try await TestClient.request("HEAD /health", port: port)
            #expect(answer.status == 200)
            #expect(answer.head.contains("content-length: 16"))
            #expect(answer.body.isEmpty)
        }
    }

    @Test(
        "any other request gets status 404 with a JSON body",
        arguments: ["GET /", "GET /health/", "POST /health", "DELETE /ready"])
    func notFound(line: String) async throws {
        try await withServer { port in
            let answer = try await TestClient.request(line, port: port)
            #expect(answer.status == 404)
            #expect(answer.head.contains("content-type: application/json"))
            #expect(answer.body == #"{"message":"Not Found"}"#)
        }
    }

    @Test("an additional route returns its own answer")
    func furtherRoute() async throws {
        let metrics = StatusRoute(path: "/metrics") {
            RouteAnswer(status: 200, contentType: "text/plain", body: "runs 3\n")
        }
        try await withServer(routes: [metrics]) { port in
            let answer = try await TestClient.request("GET /metrics", port: port)
            #expect(answer.head.contains("content-type: text/plain"))
            #expect(answer.body == "runs 3\n")
        }
    }

    @Test("one connection serves several requests")
    func keepAlive() async throws {
        try await withServer { port in
            let client = try TestClient(port: port)
            for _ in 0..<3 {
                client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
                let answer = try await client.receive { $0.hasSuffix("}") }
                #expect(answer.text.hasPrefix("HTTP/1.1 200"))
                #expect(!answer.isClosed)
            }
        }
    }

    @Test("an IPv6 host works with and without brackets", arguments: ["::1", "[::1]"])
    func ipv6(host: String) async throws {
        try await withServer(host: host) { port in
            let answer = try await TestClient.request("GET /health", port: port, isIPv6: true)
            #expect(answer.status == 200)
        }
    }

    @Test("a health request logs nothing at info level")
    func quiet() async throws {
        let log = CapturedLog()
        var logger = log.logger
        logger.logLevel = .info
        try await withServer(logger: logger) { port in
            _ = try await TestClient.request("GET /health", port: port)
        }
        #expect(log.messages().isEmpty)
    }

    @Test("the date header has the format that HTTP requires")
    func date() async throws {
        try await withServer { port in
            let head = try await TestClient.request("GET /health", port: port).head
            #expect(head.contains(/date: [a-z]{3}, [0-9]{2} [a-z]{3} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} gmt/))
        }
    }
}
