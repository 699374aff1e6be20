package import HTTPTransport

extension HTTPTransport {
    /// Opens a WebSocket. It uses the same proxies, certificate authorities and client certificate as a request to the
    /// same host; `ws` counts as `http`, `wss` as `https`. With either scheme it goes through the proxy's tunnel. It
    /// does not count towards the connection limits. A redirect counts as a refusal.
    package func webSocket(_ request: WebSocketRequest) async throws(WebSocketError) -> WebSocket {
        let plan = try SocketPlan(request, transport: self)
        let socket = WebSocket(url: plan.url, connection: newConnection(for: SocketConnection.self))
        try await socket.open(plan)
        return socket
    }
}
