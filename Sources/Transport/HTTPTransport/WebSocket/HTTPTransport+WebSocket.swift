extension HTTPTransport {
    /// Opens a WebSocket. It uses the same proxies, certificate authorities and client certificate as a request to the
    /// same host; `ws` counts as `http`, `wss` as `https`. With either scheme it goes through the proxy's tunnel. It
    /// does not count towards the connection limits. A redirect counts as a refusal.
    public func webSocket(_ request: WebSocketRequest) async throws(WebSocketError) -> WebSocket {
        let plan = try SocketPlan(request, configuration: configuration)
        let socket = WebSocket(id: newID(), url: plan.url, loop: loop)
        try await socket.open(plan)
        return socket
    }

    /// Opens a WebSocket for as long as the body runs, and closes it with code 1000, or 1001 when the body throws.
    public func withWebSocket<Result>(
        _ request: WebSocketRequest, isolation: isolated (any Actor)? = #isolation,
        _ body: (WebSocket) async throws -> Result
    ) async throws -> Result {
        let socket = try await webSocket(request)
        do {
            let result = try await body(socket)
            await socket.close()
            return result
        } catch {
            await socket.close(code: .goingAway)
            throw error
        }
    }
}
