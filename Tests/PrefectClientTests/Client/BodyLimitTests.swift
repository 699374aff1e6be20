import FoundationEssentials
import HTTPTransport
import PrefectJSON
import TestSupport
import Testing

@testable import PrefectClient

// The tests run one after the other, because they measure the memory of the whole process.
@Suite("Limits of an answer's size and memory", .serialized)
struct BodyLimitTests {
    private static let block = Array(repeating: UInt8(ascii: " "), count: 65_536)

    private static let limited: APIRequest = {
        var request = APIRequest(.get, ["work_pools", "p"], query: [("token", "secret")])
        request.maximumBodyBytes = 1 << 20
        return request
    }()

    private func withAnswer(
        _ answer: HostileServer.Answer, timeout: Duration = .seconds(20),
        _ body: (HostileServer, APIClient) async throws -> Void
    ) async throws {
        try await withHostileServer(answer) { server in
            try await withClient(
                of: server.url,
                configure: {
                    $0.requestTimeout = timeout
                    $0.retryPolicy.maxRetries = 0
                }
            ) { client, _ in
                try await body(server, client)
            }
        }
    }

    private func noAnswer(_ error: APIError?) -> TransportError? {
        if case .noAnswer(let cause) = error?.kind { cause } else { nil }
    }

    @Test(
        "a body whose announced length is too large is refused at once, and its connection is closed",
        arguments: ["104857600", "1048577", "99999999999999999999999"])
    func announced(length: String) async throws {
        // No body follows the head, so a client that waits for the body gets another error.
        try await withAnswer(.init("HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n")) { server, client in
            let error = await apiError { _ = try await client.send(Self.limited) }
            #expect(noAnswer(error)?.kind == .tooLarge)
            let text = try #require(error?.description)
            #expect(text.hasPrefix("GET /work_pools/p: GET \(server.url)/work_pools/p: the answer's body of "))
            #expect(text.contains("limit of 1048576 bytes"))
            #expect(length.utf8.count > 19 || text.contains(length))
            #expect(!text.contains("secret") && !text.contains("\n"))
            try await eventually("the connection is closed") { server.openConnections == 0 }
            #expect(server.requestCount == 1)
        }
    }

    @Test(
        "an endless body is abandoned as soon as it is too large",
        arguments: ["Transfer-Encoding: chunked\r\n", ""])
    func endless(framing: String) async throws {
        let chunk = framing.isEmpty ? Self.block : Array("10000\r\n".utf8) + Self.block + Array("\r\n".utf8)
        let answer = HostileServer.Answer("HTTP/1.1 200 OK\r\n\(framing)\r\n", rest: chunk)
        try await withAnswer(answer) { server, client in
            let error = await apiError { _ = try await client.send(Self.limited) }
            #expect(noAnswer(error)?.kind == .tooLarge)
            #expect(error?.description.contains("larger than the limit of 1048576 bytes") == true)
            try await eventually("the connection is closed") { server.openConnections == 0 }
            // The limit, plus the data in the buffers of the system and the transport.
            #expect(server.sentBytes < 24 << 20)
        }
    }

    @Test("the limit of a compressed body applies to its decompressed size", arguments: [32 << 20, 1 << 20])
    func bomb(limit: Int) async throws {
        let before = ResidentMemory.peak
        let answer = HostileServer.Answer(
            beginning: Array("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
                + Array("C\r\n".utf8) + GzipBomb.beginning + Array("\r\n".utf8),
            rest: Array("\(String(GzipBomb.rest.count, radix: 16))\r\n".utf8) + GzipBomb.rest + Array("\r\n".utf8))
        try await withAnswer(answer) { server, client in
            var request = Self.limited
            request.maximumBodyBytes = limit
            let error = await apiError { _ = try await client.send(request) }
            #expect(noAnswer(error)?.kind == .tooLarge)
            try await eventually("the connection is closed") { server.openConnections == 0 }
            #expect(server.sentBytes < 32 << 20)
            // The sent bytes decompress to more than a gigabyte.
            #expect(ResidentMemory.peak - before < 400 << 20)
        }
    }

    @Test(
        "an endless head or trailer is refused",
        arguments: [
            ("HTTP/1.1 200 OK\r\n", "X-More: and more\r\n"), ("HTTP/1.1 200 OK\r\nX-Long: ", "xxxxxxxxxxxxxxxx"),
            ("", "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-Trailer: and more\r\n"),
        ])
    func endlessHead(beginning: String, rest: String) async throws {
        let block = Array(String(repeating: rest, count: 1000).utf8)
        try await withAnswer(.init(beginning, rest: block)) { server, client in
            let error = await apiError { _ = try await client.send(Self.limited) }
            #expect(noAnswer(error) != nil)
            try await eventually("the connection is closed") { server.openConnections == 0 }
            #expect(server.sentBytes < 24 << 20)
        }
    }

    @Test(
        "an answer that arrives in small pieces for ever ends with a timeout", .timeLimit(.minutes(5)),
        arguments: [("HTTP/1.1 200 OK\r\n\r\n", " "), ("HTTP/1.1 200 OK\r\n", "X-More: 1\r\n")])
    func drip(beginning: String, rest: String) async throws {
        let answer = HostileServer.Answer(beginning, rest: Array(rest.utf8), pause: .milliseconds(10))
        try await withAnswer(answer, timeout: .milliseconds(500)) { server, client in
            let error = await apiError { _ = try await client.send(Self.limited) }
            // On a busy machine a pause between pieces can exceed one of the other timeouts.
            #expect([.wholeTimeout, .idleTimeout, .firstByteTimeout].contains(noAnswer(error)?.kind))
            try await eventually("the connection is closed") { server.openConnections == 0 }
        }
    }

    @Test("a refusal with an endless explanation is still reported as a refusal", arguments: [400, 404, 422])
    func endlessExplanation(status: Int) async throws {
        let answer = HostileServer.Answer("HTTP/1.1 \(status) No\r\n\r\n", rest: Self.block)
        try await withAnswer(answer) { server, client in
            let error = await apiError { _ = try await client.send(Self.limited) }
            #expect(error?.status == status)
            try await eventually("the connection is closed") { server.openConnections == 0 }
            #expect(server.sentBytes < 24 << 20)
        }
    }

    @Test("an answer with more values than the limit of memory allows is too large, even with few bytes")
    func values() async throws {
        try await withFakePrefectAPI { api in
            try await withClient(of: api.url) { client, _ in
                let body = Array("[\(String(repeating: "0,", count: JSONValue.maximumCost))".utf8)
                let head = Array("HTTP/1.1 200 OK\r\ncontent-length: \(body.count)\r\n\r\n".utf8)
                api.script(answer: .raw(head + body))
                let error = await apiError { _ = try await client.json(.read) }
                #expect(noAnswer(error)?.kind == .tooLarge)
                #expect(error?.description.contains("its values take too much memory") == true)
            }
        }
    }

    @Test(
        "an answer with any content takes less than 64 MiB",
        arguments: [
            ("0,", "0"), ("[0],", "0"), ("[[[[0]]]],", "0"), (#"{"a":0},"#, "0"), (#"{"a":{"b":{"c":[0]}}},"#, "0"),
            (#"{"a name that is longer than fifteen bytes":"a text that is longer than fifteen bytes"},"#, "0"),
            (#""a text that is longer than fifteen bytes","#, "0"), (#""é\n","#, "0"),
        ])
    func memory(element: String, last: String) throws {
        let count = APIRequest(.get, ["flow_runs"]).maximumBodyBytes / element.utf8.count - 1
        // The parser runs once before the measurement, so that only the answer is measured.
        _ = try? JSONValue(parsing: "[1]")
        let body = Array("[\(String(repeating: element, count: count))\(last)]".utf8)
        let before = ResidentMemory.current - body.count
        let answer = APIAnswer(
            status: 200, body: body, operation: "GET /", wasRepeated: false, mayBeFollowedByItself: false)
        do {
            let value = try answer.json()
            #expect(ResidentMemory.current - before < 64 << 20)
            #expect(value.arrayValue?.isEmpty == false)
        } catch {
            #expect(error.isTooLarge)
        }
        #expect(ResidentMemory.current - before < 64 << 20)
    }

    @Test("a long reason of the API is shortened to one line", arguments: ["REJECT", "ABORT"])
    func longReason(status: String) async throws {
        try await withFakePrefectAPI { api in
            try await withClient(of: api.url) { client, _ in
                let text = JSONValue.string("line\n" + String(repeating: "x", count: 1 << 20))
                let body: JSONValue = ["status": .string(status), "state": nil, "details": ["reason": text]]
                api.script(answer: .status(200, body: body))
                let outcome = try await client.propose(.pending, forFlowRun: UUID())
                switch outcome {
                case .rejected(_, let reason), .aborted(let reason):
                    #expect(reason.utf8.count < 400 && !reason.contains("\n"))
                case .accepted: Issue.record("accepted")
                }
            }
        }
    }

    @Test("a body as large as the limit is read, and a 204's announced length is ignored")
    func within() async throws {
        try await withFakePrefectAPI { api in
            try await withClient(of: api.url) { client, _ in
                let size = 1 << 20
                let head = Array("HTTP/1.1 200 OK\r\ncontent-length: \(size)\r\n\r\n".utf8)
                api.script(times: 1, answer: .raw(head + Array(repeating: 0x20, count: size)))
                let whole = try await client.send(Self.limited)
                #expect(whole.body.count == size)
                api.script(times: 1, answer: .raw(Array("HTTP/1.1 204 No\r\ncontent-length: 9999999\r\n\r\n".utf8)))
                let none = try await client.send(Self.limited)
                #expect(none.body.isEmpty)
            }
        }
    }
}
