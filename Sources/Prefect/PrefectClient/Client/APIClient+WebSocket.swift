internal import HTTPTransport
package import PrefectWebSocket
internal import Synchronization

extension APIClient {
    /// Whether a WebSocket's handshake carries the `Authorization` header. A caller that authenticates with its first
    /// message sends ``Configuration/webSocketToken`` itself.
    package enum WebSocketAuthorization: Sendable, Hashable {
        case header
        case none
    }

    /// Opens a WebSocket of the API with the client's current configuration.
    ///
    /// The client pings the socket every 20 seconds. If no answer arrives within another 20 seconds, the socket is
    /// lost.
    ///
    /// - Parameters:
    ///   - path: The parts of the path after the API's URL.
    ///   - query: The query.
    ///   - subprotocol: The subprotocol that the server must accept.
    ///   - authorization: Whether the handshake carries credentials.
    ///   - connectTimeout: The limit until the WebSocket is open.
    package func webSocket(
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
            // Something on the way may pass requests but block sockets, so the state of the API is unclear.
            if case .notConnected = error.kind { reachability.failed(.unclear) }
            throw error
        }
    }

    /// `ws` for `http`, `wss` for `https`.
    private static func webSocketURL(_ url: String) -> String {
        url.lowercased().hasPrefix("http") ? "ws" + url.dropFirst(4) : url
    }

    /// Whether a header belongs to the client or to the handshake, so that a user's header cannot replace it.
    static func belongsToHandshake(_ name: String) -> Bool {
        let name = name.lowercased()
        return protectedHeaders.contains(name) || ["connection", "upgrade", "host"].contains(name)
            || name.hasPrefix("sec-websocket-")
    }
}

extension APIClient.Configuration {
    /// Whether the WebSockets of both configurations are equivalent.
    func opensSameSockets(as other: APIClient.Configuration) -> Bool {
        url == other.url && authorization == other.authorization && webSocketToken == other.webSocketToken
            && customHeaders.elementsEqual(other.customHeaders, by: ==)
    }
}

/// The open WebSockets that callers hold.
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

    /// Closes all sockets with a close handshake.
    func close() async {
        let sockets = references.withLock { $0.compactMap(\.socket) }
        await withDiscardingTaskGroup { group in
            for socket in sockets { group.addTask { await socket.close() } }
        }
    }
}
