public import HTTPTransport

extension APIClient {
    /// Whether a WebSocket's handshake carries the `Authorization` header. What authenticates with its first message
    /// instead sends ``Configuration/webSocketToken`` itself.
    public enum WebSocketAuthorization: Sendable, Hashable {
        case header
        case none
    }

    /// Opens a WebSocket of the API, with what the client is configured with at this moment.
    ///
    /// It is pinged every 20 seconds, and lost when that is not answered within another 20.
    ///
    /// - Parameters:
    ///   - path: The parts of the path behind the API's URL, each percent-encoded; an empty last one leaves a slash.
    ///   - query: The query.
    ///   - subprotocol: What the server must agree to.
    ///   - authorization: Whether credentials go with the handshake.
    ///   - connectTimeout: Until the WebSocket is open.
    public func webSocket(
        _ path: [String], query: [(name: String, value: String)] = [], subprotocol: String? = nil,
        authorization: WebSocketAuthorization = .none, connectTimeout: Duration = .seconds(10)
    ) async throws(WebSocketError) -> WebSocket {
        let configuration = configuration
        var headers = HTTPHeaders()
        headers["User-Agent"] = Self.userAgent
        if authorization == .header, let value = configuration.authorization {
            headers["Authorization"] = value.reveal()
        }
        for (name, value) in configuration.customHeaders where !Self.belongsToHandshake(name) { headers[name] = value }
        let target = APIRequest(.get, path, query: query).target
        return try await transport.webSocket(
            WebSocketRequest(
                url: Self.webSocketURL(configuration.url) + target, headers: headers,
                subprotocols: subprotocol.map { [$0] } ?? [], connectTimeout: connectTimeout))
    }

    /// `ws` for `http`, `wss` for `https`.
    private static func webSocketURL(_ url: String) -> String {
        url.lowercased().hasPrefix("http") ? "ws" + url.dropFirst(4) : url
    }

    /// Whether a header is the handshake's own, which a user's cannot replace.
    private static func belongsToHandshake(_ name: String) -> Bool {
        let name = name.lowercased()
        return ["user-agent", "connection", "upgrade", "host"].contains(name) || name.hasPrefix("sec-websocket-")
    }
}
