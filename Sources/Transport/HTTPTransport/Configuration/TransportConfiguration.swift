/// The settings for all requests of a transport.
package struct TransportConfiguration: Sendable {
    /// Whether to offer HTTP/2 on TLS connections. Otherwise all requests use HTTP/1.1.
    package var http2: Bool
    /// The default for requests without their own TLS settings. An `https` proxy is checked with it too.
    package var tls: TLSConfiguration
    /// The policy that selects the proxy for a URL.
    package var proxies: ProxyPolicy
    /// The number of requests to one host (or Unix socket) that may use the network at once; nil means no limit. Each
    /// has its own connection, unless HTTP/2 lets them share one. Further requests wait, within their connect deadline.
    /// A stream counts for as long as it lasts, so a transport for many streams should use nil.
    package var maxConnectionsPerHost: Int?
    /// The same limit for all hosts together.
    package var maxConnections: Int?
    /// The idle time after which a connection is not used again.
    package var idleExpiry: Duration

    package init(
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
