/// What holds for every request of a transport.
public struct TransportConfiguration: Sendable {
    /// Offers HTTP/2 on TLS connections; without it everything is HTTP/1.1.
    public var http2: Bool
    /// The default for requests that bring none of their own, and what an `https` proxy is checked with.
    public var tls: TLSConfiguration
    /// Which proxy a URL goes through.
    public var proxies: ProxyPolicy
    /// So many requests to one host (or Unix socket) use the network at once, each over a connection of its own unless
    /// HTTP/2 lets them share; more wait, within their connect deadline. A stream counts for as long as it lasts, so a
    /// transport for many streams wants nil: without limit.
    public var maxConnectionsPerHost: Int?
    /// The same over all hosts.
    public var maxConnections: Int?
    /// A connection that has been idle for longer is not used again.
    public var idleExpiry: Duration

    public init(
        http2: Bool = false,
        tls: TLSConfiguration = TLSConfiguration(),
        proxies: ProxyPolicy = .fromEnvironment,
        maxConnectionsPerHost: Int? = 16,
        maxConnections: Int? = 64,
        idleExpiry: Duration = .seconds(25)
    ) {
        self.http2 = http2
        self.tls = tls
        self.proxies = proxies
        self.maxConnectionsPerHost = maxConnectionsPerHost
        self.maxConnections = maxConnections
        self.idleExpiry = idleExpiry
    }
}
