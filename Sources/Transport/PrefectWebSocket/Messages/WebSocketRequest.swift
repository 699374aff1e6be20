package import HTTPTransport

/// The WebSocket to open, and the limits that apply to it.
package struct WebSocketRequest: Sendable {
    /// An absolute `ws` or `wss` URL. A user and password in it become basic authentication and appear in no error.
    package var url: String
    /// Header fields sent with the handshake. The handshake's own fields (`Connection`, `Upgrade`, `Sec-WebSocket-…`
    /// and body framing) are omitted. A field that contains CR, LF or NUL is refused.
    package var headers: HTTPHeaders
    /// The subprotocols to offer, in this order. When there are any, the server must choose one.
    package var subprotocols: [String]
    /// The time from the call until the WebSocket is open. It includes name resolution, TCP, the proxy's tunnel, TLS
    /// and the handshake.
    package var connectTimeout: Duration?
    /// The time without a ping after which one is sent. With nil, only `WebSocket.ping` sends pings.
    package var pingInterval: Duration?
    /// The connection is lost when no byte, of a pong or other data, is sent or received for this long after a ping.
    /// Time in which messages wait to be received does not count, since nothing is read then.
    package var pongTimeout: Duration
    /// How long `WebSocket.close` waits for the server's answer.
    package var closeTimeout: Duration
    /// The size limit of a received message. A larger message closes the WebSocket with code 1009 before it is in
    /// memory.
    package var maximumMessageBytes: Int
    /// Overrides the transport's TLS configuration.
    package var tls: TLSConfiguration?

    package init(
        url: String,
        headers: HTTPHeaders = [:],
        subprotocols: [String] = [],
        connectTimeout: Duration? = .seconds(10),
        pingInterval: Duration? = .seconds(20),
        pongTimeout: Duration = .seconds(20),
        closeTimeout: Duration = .seconds(5),
        maximumMessageBytes: Int = 16 << 20,
        tls: TLSConfiguration? = nil
    ) {
        self.url = url
        self.headers = headers
        self.subprotocols = subprotocols
        self.connectTimeout = connectTimeout
        self.pingInterval = pingInterval
        self.pongTimeout = pongTimeout
        self.closeTimeout = closeTimeout
        self.maximumMessageBytes = maximumMessageBytes
        self.tls = tls
    }
}
