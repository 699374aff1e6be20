public import HTTPTransport
internal import Synchronization

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
    ///   - path: The parts of the path behind the API's URL.
    ///   - query: The query.
    ///   - subprotocol: What the server must agree to.
    ///   - authorization: Whether credentials go with the handshake.
    ///   - connectTimeout: Until the WebSocket is open.
    public func webSocket(
        _ path: [APIPathPart], query: [(name: String, value: String)] = [], subprotocol: String? = nil,
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
        do {
            let socket = try await transport.webSocket(
                WebSocketRequest(
                    url: Self.webSocketURL(configuration.url) + target, headers: headers,
                    subprotocols: subprotocol.map { [$0] } ?? [], connectTimeout: connectTimeout))
            sockets.add(socket)
            reachability.answered()
            return socket
        } catch {
            // Something on the way may let requests pass and no sockets.
            if case .notConnected = error.kind { reachability.failed(.unclear) }
            throw error
        }
    }

    /// `ws` for `http`, `wss` for `https`.
    private static func webSocketURL(_ url: String) -> String {
        url.lowercased().hasPrefix("http") ? "ws" + url.dropFirst(4) : url
    }

    /// Whether a header is the client's or the handshake's own, which a user's cannot replace.
    static func belongsToHandshake(_ name: String) -> Bool {
        let name = name.lowercased()
        return protectedHeaders.contains(name) || ["connection", "upgrade", "host"].contains(name)
            || name.hasPrefix("sec-websocket-")
    }
}

extension APIClient.Configuration {
    /// Whether a WebSocket of one is as good as one of the other.
    func opensSameSockets(as other: APIClient.Configuration) -> Bool {
        url == other.url && authorization == other.authorization && webSocketToken == other.webSocketToken
            && customHeaders.elementsEqual(other.customHeaders, by: ==)
    }
}

/// The WebSockets that others hold.
final class OpenSockets: Sendable {
    private struct Reference: Sendable {
        weak var socket: WebSocket?
    }

    private let references = Mutex<[Reference]>([])

    func add(_ socket: WebSocket) {
        references.withLock { references in
            references.removeAll { $0.socket == nil }
            references.append(Reference(socket: socket))
        }
    }

    /// Closes them all, each in order.
    func close() async {
        let sockets = references.withLock { $0.compactMap(\.socket) }
        await withDiscardingTaskGroup { group in
            for socket in sockets { group.addTask { await socket.close() } }
        }
    }
}
