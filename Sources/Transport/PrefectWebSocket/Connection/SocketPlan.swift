import HTTPTransport

/// The validated parameters of one WebSocket.
struct SocketPlan: Sendable {
    let connection: ConnectionPlan
    let upgrade: UpgradeRequest
    let limits: SocketState.Limits
    let connectTimeout: Duration?
    let deadline: ContinuousClock.Instant?
    /// The URL as shown in errors.
    let url: String
    /// The URL of the handshake, with an HTTP scheme.
    let handshakeURL: String

    init(_ request: WebSocketRequest, transport: HTTPTransport) throws(WebSocketError) {
        guard let url = Self.parse(request.url) else {
            throw Self.refused("the URL is not an absolute ws or wss URL", url: "")
        }
        self.url = Self.name(of: url)
        handshakeURL = url.text
        let handshake = HTTPRequest(
            url: request.url, headers: request.headers, deadlines: Deadlines(connect: request.connectTimeout),
            tls: request.tls)
        do throws(TransportError) {
            connection = try transport.connectionPlan(for: handshake, to: url)
        } catch {
            throw Self.refused(error.cause, kind: error.kind, url: self.url)
        }
        guard let upgrade = UpgradeRequest(request, to: url) else {
            throw Self.refused("the URL or a subprotocol has characters that HTTP does not allow", url: self.url)
        }
        self.upgrade = upgrade
        limits = SocketState.Limits(
            maximumMessageBytes: request.maximumMessageBytes, pingInterval: request.pingInterval,
            pongTimeout: request.pongTimeout, closeTimeout: request.closeTimeout)
        connectTimeout = request.connectTimeout
        deadline = request.connectTimeout.map { ContinuousClock.now.advanced(by: $0) }
    }

    /// Parses the URL as `http` or `https`, because not every libcurl knows the WebSocket schemes.
    private static func parse(_ text: String) -> ParsedURL? {
        guard let end = text.firstRange(of: "://") else { return nil }
        switch text[..<end.lowerBound].lowercased() {
        case "ws": return ParsedURL("http://" + text[end.upperBound...])
        case "wss": return ParsedURL("https://" + text[end.upperBound...])
        default: return nil
        }
    }

    private static func name(of url: ParsedURL) -> String {
        "ws" + url.redacted.dropFirst("http".count)
    }

    private static func refused(
        _ cause: String, kind: TransportError.Kind = .invalidRequest, url: String
    ) -> WebSocketError {
        let error = TransportError(
            kind: kind, operation: WebSocketError.subject(url), cause: cause, requestMayHaveBeenSent: false)
        return WebSocketError(kind: .notConnected(error), url: url)
    }
}
