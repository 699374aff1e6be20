/// The validated parameters that the loop needs to open one WebSocket.
struct SocketPlan: Sendable {
    /// The parameters of the connection, the same as for a request to this host.
    let transfer: TransferPlan
    let upgrade: UpgradeRequest
    let limits: SocketState.Limits
    let connectTimeout: Duration?
    let deadline: ContinuousClock.Instant?
    /// The URL as shown in errors.
    let url: String

    init(_ request: WebSocketRequest, configuration: TransportConfiguration) throws(WebSocketError) {
        guard let url = Self.parse(request.url) else {
            throw Self.refused("the URL is not an absolute ws or wss URL", url: "")
        }
        self.url = Self.name(of: url)
        // A WebSocket over HTTP/2 would need another handshake.
        var configuration = configuration
        configuration.http2 = false
        let connection = HTTPRequest(
            url: request.url, headers: request.headers, deadlines: Deadlines(connect: request.connectTimeout),
            tls: request.tls)
        do throws(TransportError) {
            transfer = try TransferPlan(connection, url: url, configuration: configuration, wholeDeadline: nil)
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
