/// What to open, and how it is watched over.
public struct WebSocketRequest: Sendable {
    /// An absolute `ws` or `wss` URL. User and password in it become basic authentication, and show in no error.
    public var url: String
    /// Sent with the handshake. Its own fields (`Connection`, `Upgrade`, `Sec-WebSocket-…` and what frames a body)
    /// are left out. CR, LF and NUL are refused.
    public var headers: HTTPHeaders
    /// Offered in this order. When some are, the server must choose one.
    public var subprotocols: [String]
    /// From the call until the WebSocket is open: name resolution, TCP, the proxy's tunnel, TLS and the handshake.
    public var connectTimeout: Duration?
    /// After so long without a ping one is sent; nil sends none but those of `WebSocket.ping`.
    public var pingInterval: Duration?
    /// When nothing, neither the pong nor any other byte, comes or goes for so long after a ping, the connection is
    /// lost. Time in which messages wait to be received does not count, since nothing is read then.
    public var pongTimeout: Duration
    /// How long `WebSocket.close` waits for the server's answer.
    public var closeTimeout: Duration
    /// A larger message closes the WebSocket with code 1009 before it is in memory.
    public var maximumMessageBytes: Int
    /// Overrides the transport's TLS configuration.
    public var tls: TLSConfiguration?

    public init(
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
