/// One HTTP request, as a value.
public struct HTTPRequest: Sendable {
    /// What is sent after the head.
    public enum Body: Sendable, Equatable {
        case none
        case bytes([UInt8])

        var count: Int {
            switch self {
            case .none: 0
            case .bytes(let bytes): bytes.count
            }
        }
    }

    public var method: HTTPMethod
    /// An absolute `http` or `https` URL. User and password in it become basic authentication, and show in no error.
    public var url: String
    /// Sent in this order; a field overrides the one the transport would write (`Accept`, `Host`, …). The framing
    /// fields `Content-Length` and `Transfer-Encoding` are always the transport's own. CR, LF and NUL are refused.
    public var headers: HTTPHeaders
    public var body: Body
    /// Connects to this socket instead of the URL's host; no proxy is used then.
    public var unixSocketPath: String?
    public var deadlines: Deadlines
    /// Follows up to 20 redirects. 307 and 308 repeat the method and body, 303 (and 301, 302 after a POST) go on
    /// with GET. `Authorization`, `Cookie` and `Host` stay behind when the origin changes.
    public var followRedirects: Bool
    /// Offers gzip and deflate, and hands the body out decompressed.
    public var decompress: Bool
    /// Overrides the transport's TLS configuration for this request.
    public var tls: TLSConfiguration?

    public init(
        method: HTTPMethod = .get,
        url: String,
        headers: HTTPHeaders = [:],
        body: Body = .none,
        unixSocketPath: String? = nil,
        deadlines: Deadlines = Deadlines(),
        followRedirects: Bool = true,
        decompress: Bool = true,
        tls: TLSConfiguration? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.unixSocketPath = unixSocketPath
        self.deadlines = deadlines
        self.followRedirects = followRedirects
        self.decompress = decompress
        self.tls = tls
    }
}

/// How long the stages of a request may take; nil is without limit. Each ends in an error kind of its own.
public struct Deadlines: Sendable, Hashable {
    /// Until the connection is ready for the request: waiting for a free connection, name resolution, TCP, the
    /// proxy's tunnel and TLS.
    public var connect: Duration?
    /// From the request being handed to the connection until the first byte of the answer. A large body that is
    /// still on its way out does not count.
    public var firstByte: Duration?
    /// Between two portions of the answer. Time in which the reader holds the transfer back does not count.
    public var idle: Duration?
    /// From the call to the last byte, redirects included.
    public var whole: Duration?

    /// Sixty seconds for each stage and no limit for the whole, as Prefect's own client has it.
    public init(
        connect: Duration? = .seconds(60),
        firstByte: Duration? = .seconds(60),
        idle: Duration? = .seconds(60),
        whole: Duration? = nil
    ) {
        self.connect = connect
        self.firstByte = firstByte
        self.idle = idle
        self.whole = whole
    }

    /// For a stream that may be silent for days: only the connection has a limit.
    public static func stream(connect: Duration? = .seconds(60), firstByte: Duration? = nil) -> Deadlines {
        Deadlines(connect: connect, firstByte: firstByte, idle: nil, whole: nil)
    }
}
