/// The validated parameters that the loop needs to carry out one request.
struct TransferPlan: Sendable {
    struct Proxy: Sendable {
        var address: String
        var user: String?
        var password: String?
        var tls: TLSConfiguration
    }

    let method: HTTPMethod
    let url: ParsedURL
    /// The URL that libcurl gets: with the TLS server name as its host, if one is set.
    let target: ParsedURL
    let headerLines: [String]
    let body: HTTPRequest.Body
    let unixSocketPath: String?
    let proxy: Proxy?
    let tls: TLSConfiguration
    let http2: Bool
    let decompress: Bool
    let isSentOnce: Bool
    let idleExpiry: Duration
    let deadlines: Deadlines
    let wholeDeadline: ContinuousClock.Instant?

    /// The name of this request in errors.
    var operation: String { "\(method) \(url.redacted)" }

    /// The key for the limit of connections per host.
    var origin: String { unixSocketPath ?? "\(url.scheme)://\(url.bracketedHost):\(url.port)" }

    init(
        _ request: HTTPRequest, url: ParsedURL, configuration: TransportConfiguration,
        wholeDeadline: ContinuousClock.Instant?
    ) throws(TransportError) {
        func refused(_ kind: TransportError.Kind, _ cause: String) -> TransportError {
            TransportError(
                kind: kind, operation: "\(request.method) \(url.redacted)", cause: cause,
                requestMayHaveBeenSent: false)
        }
        guard request.method.rawValue.isToken else {
            // The invalid method could break the line of the message, so it is omitted.
            throw TransportError(
                kind: .invalidRequest, operation: url.redacted, cause: "the method is not an HTTP method",
                requestMayHaveBeenSent: false)
        }
        let tls = request.tls ?? configuration.tls
        method = request.method
        self.url = url
        body = request.body
        unixSocketPath = request.unixSocketPath
        self.tls = tls
        http2 = configuration.http2
        decompress = request.decompress
        isSentOnce = request.isSentOnce
        idleExpiry = configuration.idleExpiry
        deadlines = request.deadlines
        self.wholeDeadline = wholeDeadline

        if let path = request.unixSocketPath {
            guard (1...Self.longestSocketPath).contains(path.utf8.count), !path.utf8.contains(0) else {
                throw refused(
                    .invalidRequest, "the socket's path must have 1 to \(Self.longestSocketPath) bytes, without NUL")
            }
        }
        if let name = tls.serverName, url.scheme == "https", name != url.host {
            guard let renamed = url.replacingHost(name), renamed.host == name.lowercased() else {
                throw refused(.invalidRequest, "the TLS server name is not a host name")
            }
            target = renamed
        } else {
            target = url
        }
        if request.unixSocketPath == nil, let address = configuration.proxies.proxy(for: url) {
            guard let parsed = ParsedURL(proxy: address) else {
                throw refused(.proxy, "the proxy configured for \(url.scheme) URLs is not a proxy URL")
            }
            proxy = Proxy(parsed, tls: configuration.tls)
        } else {
            proxy = nil
        }

        switch Self.headerLines(request, url: url, isRenamed: target != url) {
        case .success(let lines): headerLines = lines
        case .failure(let refusal): throw refused(.invalidRequest, refusal.cause)
        }
    }

    private struct Refusal: Error {
        var cause: String
    }

    /// The longest path of a Unix socket: `sun_path` has 108 bytes, the last of which is NUL.
    private static let longestSocketPath = 107

    private static func headerLines(
        _ request: HTTPRequest, url: ParsedURL, isRenamed: Bool
    ) -> Result<[String], Refusal> {
        var lines: [String] = []
        for field in request.headers {
            guard field.name.isToken else {
                return .failure(Refusal(cause: "a header's name has characters that HTTP does not allow"))
            }
            guard !field.value.utf8.contains(where: { $0 == 0x0d || $0 == 0x0a || $0 == 0 }) else {
                return .failure(Refusal(cause: "the value of the header \(field.name) has a line break or a NUL"))
            }
            let isFraming = ["Content-Length", "Transfer-Encoding"].contains { $0.equalsIgnoringCase(field.name) }
            if isFraming { continue }
            // For libcurl, "Name:" suppresses its own field, and "Name;" sends a field without a value.
            let isEmpty = field.value.utf8.allSatisfy { $0 == 0x20 || $0 == 0x09 }
            lines.append(isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        if isRenamed, !request.headers.contains("Host") {
            lines.append("Host: \(url.authority)")
        }
        // By default, libcurl labels any body as a form, and waits a second for a "100 Continue" before a large one.
        for name in ["Content-Type", "Expect"] where !request.headers.contains(name) {
            lines.append("\(name):")
        }
        return .success(lines)
    }
}

extension TransferPlan.Proxy {
    init(_ url: ParsedURL, tls: TLSConfiguration) {
        // libcurl uses port 1080 for every scheme. An HTTP proxy without a port is expected at the scheme's default
        // port.
        address = "\(url.scheme)://\(url.bracketedHost):\(url.port)"
        user = url.user
        password = url.password
        self.tls = tls
    }
}
