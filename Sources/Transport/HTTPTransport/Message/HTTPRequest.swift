/// One HTTP request, as a value.
package struct HTTPRequest: Sendable {
    /// The data sent after the request head.
    package enum Body: Sendable, Equatable {
        case none
        case bytes([UInt8])

        var count: Int {
            switch self {
            case .none: 0
            case .bytes(let bytes): bytes.count
            }
        }
    }

    package var method: HTTPMethod
    /// An absolute `http` or `https` URL. A user and password in it become basic authentication and appear in no error.
    package var url: String
    /// Header fields, sent in this order. A field overrides the one that the transport would write (`Accept`, `Host`,
    /// …). The transport always writes the framing fields `Content-Length` and `Transfer-Encoding` itself. A field that
    /// contains CR, LF or NUL is refused.
    package var headers: HTTPHeaders
    package var body: Body
    /// A Unix socket to connect to instead of the URL's host. No proxy is used then.
    package var unixSocketPath: String?
    package var deadlines: Deadlines
    /// Whether to follow redirects, at most 20. Statuses 307 and 308 repeat the method and body. Status 303, and 301 or
    /// 302 after a POST, continue with GET. Another origin gets only `Accept`, `Accept-Encoding` and `User-Agent` of the
    /// headers, so neither `Authorization` nor `Cookie` nor `Host`.
    package var followRedirects: Bool
    /// Whether to accept gzip and deflate, and to return the body decompressed.
    package var decompress: Bool
    /// Overrides the transport's TLS configuration for this request.
    package var tls: TLSConfiguration?
    /// Whether the request gets a new connection, so that libcurl never repeats it: for a request that must not be
    /// applied twice. A reused connection may be closed after the server has received a request.
    package var isSentOnce = false

    package init(
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

/// Time limits for the stages of a request; nil means no limit. Each limit has its own error kind.
package struct Deadlines: Sendable, Hashable {
    /// The time until the connection is ready for the request. It includes waiting for a free connection, name
    /// resolution, TCP, the proxy's tunnel and TLS.
    package var connect: Duration?
    /// The time from handing the request to the connection until the first byte of the response. Time in which a large
    /// body is still being sent does not count.
    package var firstByte: Duration?
    /// The time between two portions of the response. Time in which the reader holds the transfer back does not count.
    package var idle: Duration?
    /// The time from the call to the last byte, redirects included.
    package var whole: Duration?

    /// Sixty seconds for each stage and no limit for the whole, like Prefect's own client.
    package init(
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

    /// Deadlines for a stream that may be silent for days. By default, only the connection has a limit.
    package static func stream(connect: Duration? = .seconds(60), firstByte: Duration? = nil) -> Deadlines {
        Deadlines(connect: connect, firstByte: firstByte, idle: nil, whole: nil)
    }
}
