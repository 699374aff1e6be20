import FoundationEssentials
import HTTPTransport
import Hashing

/// The client's half of the handshake (RFC 6455, section 4.1), validated and encoded.
struct UpgradeRequest: Sendable {
    let bytes: [UInt8]
    /// The value that `Sec-WebSocket-Accept` must have.
    let expectedAccept: String
    let subprotocols: [String]

    /// Expects headers that a plan has checked. Returns nil when a subprotocol or the URL cannot be part of a request.
    init?(_ request: WebSocketRequest, to url: ParsedURL, key: String = Self.randomKey()) {
        guard let target = Self.target(of: url), request.subprotocols.allSatisfy(\.isToken) else {
            return nil
        }
        var lines = ["GET \(target) HTTP/1.1"]
        if !request.headers.contains("Host") { lines.append("Host: \(url.authority)") }
        lines += ["Connection: Upgrade", "Upgrade: websocket"]
        lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: \(key)"]
        if !request.subprotocols.isEmpty {
            lines.append("Sec-WebSocket-Protocol: \(request.subprotocols.joined(separator: ", "))")
        }
        if url.user != nil || url.password != nil, !request.headers.contains("Authorization") {
            let credentials = "\(url.user ?? ""):\(url.password ?? "")"
            lines.append("Authorization: Basic \(Data(credentials.utf8).base64EncodedString())")
        }
        for field in request.headers where !Self.isReserved(field.name) {
            lines.append("\(field.name): \(field.value)")
        }
        bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        expectedAccept = Self.accept(for: key)
        subprotocols = request.subprotocols
    }

    /// Sixteen random bytes in Base64.
    static func randomKey() -> String {
        var generator = SystemRandomNumberGenerator()
        return Data((0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }).base64EncodedString()
    }

    static func accept(for key: String) -> String {
        Data(SHA1.digest(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))).base64EncodedString()
    }

    private static func isReserved(_ name: String) -> Bool {
        ["Connection", "Upgrade", "Content-Length", "Transfer-Encoding"].contains { $0.equalsIgnoringCase(name) }
            || name.lowercased().hasPrefix("sec-websocket-")
    }

    /// The path and query as given; nil when they contain a space or a control character.
    private static func target(of url: ParsedURL) -> String? {
        guard let authority = url.text.firstRange(of: "://")?.upperBound else { return nil }
        let rest = url.text[authority...]
        let target = rest[(rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex)...]
        // Other characters would end the request line early.
        guard target.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { return nil }
        return target.hasPrefix("/") ? String(target) : "/" + target
    }
}
