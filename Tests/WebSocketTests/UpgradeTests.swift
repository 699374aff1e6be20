import HTTPTransport
import Hashing
import Testing
import TransportPeers

@testable import PrefectWebSocket

@Suite("The handshake of a WebSocket") struct UpgradeTests {
    private let key = "dGhlIHNhbXBsZSBub25jZQ=="
    private let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    private func request(_ request: WebSocketRequest, to url: String) -> UpgradeRequest? {
        ParsedURL(url).flatMap { UpgradeRequest(request, to: $0, key: key) }
    }

    private func lines(_ upgrade: UpgradeRequest?) -> [String] {
        String(decoding: upgrade?.bytes ?? [], as: UTF8.self).split(separator: "\r\n").map(String.init)
    }

    private func outcome(
        _ text: String, subprotocols: [String] = [], piece: Int = .max, ends: Bool = false
    ) throws -> UpgradeAnswer.Outcome {
        let upgrade = try #require(request(WebSocketRequest(url: "", subprotocols: subprotocols), to: "http://x/"))
        var answer = UpgradeAnswer(to: upgrade, url: "http://x/")
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let outcome = answer.receive(rest.prefix(piece))
            rest = rest.dropFirst(piece)
            if outcome != .incomplete {
                guard case .open(let subprotocol, let headers, let first) = outcome else { return outcome }
                return .open(subprotocol: subprotocol, headers: headers, rest: first + Array(rest))
            }
        }
        return ends ? answer.end() : .incomplete
    }

    private func agreement(_ lines: [String] = []) -> String {
        let own = ["HTTP/1.1 101 Switching Protocols", "Upgrade: WebSocket", "Connection: keep-alive, upgrade"]
        return (own + ["Sec-WebSocket-Accept: \(accept)"] + lines).joined(separator: "\r\n") + "\r\n\r\n"
    }

    @Test("SHA-1 produces the digests of its standard")
    func digests() {
        func hex(_ text: String) -> String {
            SHA1.digest(Array(text.utf8)).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
        #expect(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
        #expect(hex(String(repeating: "a", count: 1000)) == "291e9a6c66994949b57ba5e650361e98fc36b1ba")
    }

    @Test("the accept value for the example key is that of RFC 6455")
    func acceptKey() {
        #expect(UpgradeRequest.accept(for: key) == accept)
    }

    @Test("the request has the handshake's fields and the caller's fields, and none of them twice")
    func requestLines() {
        let upgrade = request(
            WebSocketRequest(
                url: "",
                headers: [
                    "X-A": "1", "upgrade": "other", "Sec-WebSocket-Key": "mine", "Content-Length": "5", "X-Empty": "",
                ], subprotocols: ["prefect", "other"]), to: "http://user:p%40ss@host:4200/api/x?q=1#part")
        #expect(
            lines(upgrade) == [
                "GET /api/x?q=1 HTTP/1.1", "Host: host:4200", "Connection: Upgrade", "Upgrade: websocket",
                "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: \(key)", "Sec-WebSocket-Protocol: prefect, other",
                "Authorization: Basic dXNlcjpwQHNz", "X-A: 1", "X-Empty: ",
            ])
        let bare = request(
            WebSocketRequest(url: "", headers: ["Host": "other", "authorization": "mine"]), to: "http://u:p@[::1]")
        #expect(lines(bare).first == "GET / HTTP/1.1")
        #expect(lines(bare).suffix(2) == ["Host: other", "authorization: mine"])
        #expect(request(WebSocketRequest(url: "", subprotocols: ["a b"]), to: "http://x/") == nil)
    }

    @Test("every key is new, and sixteen bytes long")
    func keys() {
        let keys = (0..<50).map { _ in UpgradeRequest.randomKey() }
        #expect(Set(keys).count == 50)
        #expect(keys.allSatisfy { $0.utf8.count == 24 && $0.hasSuffix("==") })
    }

    @Test(
        "an accepting response in pieces of any size opens the WebSocket, and frames behind it are kept",
        arguments: [1, 7, 10_000])
    func agreed(_ piece: Int) throws {
        let early = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        let text = early + agreement(["Sec-WebSocket-Protocol: prefect", "X-A: 1"]) + "frames"
        let outcome = try outcome(text, subprotocols: ["other", "prefect"], piece: piece)
        guard case .open(let subprotocol, let headers, let rest) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(subprotocol == "prefect")
        #expect(headers["x-a"] == "1")
        #expect(rest == Array("frames".utf8))
    }

    @Test("status 101 with wrong handshake fields is a mismatch")
    func mismatches() throws {
        let wrong = [
            agreement().replacing("WebSocket", with: "h2c"), agreement().replacing("upgrade", with: "close"),
            agreement().replacing(accept, with: "AAAA"), agreement(["Sec-WebSocket-Accept: \(accept)"]),
            agreement(["Sec-WebSocket-Extensions: permessage-deflate"]), agreement(["Sec-WebSocket-Protocol: else"]),
            agreement(["Sec-WebSocket-Protocol: prefect, prefect"]), agreement(),
        ]
        for text in wrong {
            let outcome = try outcome(text, subprotocols: ["prefect"])
            guard case .mismatch = outcome else {
                Issue.record("\(text): \(outcome)")
                continue
            }
        }
        #expect(try outcome(agreement(["Sec-WebSocket-Protocol: x"])) != .incomplete)
    }

    @Test("a refusal has a status, headers and a body delimited by its framing")
    func refusals() throws {
        func refusal(_ text: String, ends: Bool = false) throws -> WebSocketRefusal? {
            if case .refused(let refusal) = try outcome(text, ends: ends) { refusal } else { nil }
        }
        let plain = try refusal("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nwait and more")
        #expect(plain?.status == 429)
        #expect(plain?.headers["Retry-After"] == "7")
        #expect(plain?.body == Array("wait".utf8))
        let chunked = "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnot\r\n6;x=y\r\n today\r\n0\r\n\r\n"
        #expect(try refusal(chunked)?.body == Array("not today".utf8))
        #expect(try refusal(String(chunked.dropLast(4))) == nil)
        #expect(try refusal(String(chunked.dropLast(4)), ends: true)?.body == Array("not today".utf8))
        #expect(try refusal("HTTP/1.1 404 No\r\n\r\nabc") == nil)
        #expect(try refusal("HTTP/1.1 404 No\r\n\r\nabc", ends: true)?.body == Array("abc".utf8))
        #expect(try refusal("HTTP/1.1 204 No\r\n\r\n")?.body == [])
        let long = try refusal("HTTP/1.1 500 No\r\nContent-Length: 10000\r\n\r\n" + String(repeating: "x", count: 9000))
        #expect(long?.body.count == 4096)
        #expect(try refusal("HTTP/1.1 500 No\r\nContent-Length: -5\r\n\r\n")?.body == [])
    }

    @Test("a response that is not HTTP, or a head without end, is malformed")
    func malformed() throws {
        for text in ["SSH-2.0-x\r\n", "HTTP/1.1 101 x\r\nno colon\r\n", String(repeating: "x", count: 300_000)] {
            guard case .malformed = try outcome(text) else {
                Issue.record("it was taken: \(text.prefix(20))")
                continue
            }
        }
    }
}
