import CPrefectCurl

/// A URL as libcurl parses it. So the proxy, the origin and the text shown in errors can never differ from the address
/// that libcurl connects to.
package struct ParsedURL: Sendable, Equatable {
    let scheme: String
    /// The host in lower case, without the brackets of an IPv6 address.
    let host: String
    /// The explicit port, or the default port of the scheme.
    let port: Int
    let hasExplicitPort: Bool
    /// The user, percent-decoded like the password.
    package private(set) var user: String?
    package private(set) var password: String?
    /// The whole URL without user, password and fragment.
    package let text: String
    /// Scheme, host, port and path, as shown in errors.
    package let redacted: String

    /// Returns nil unless the text is an absolute `http` or `https` URL.
    package init?(_ text: String) {
        self.init(text, relativeTo: nil, schemes: ["http", "https"])
    }

    /// Parses a proxy address from the environment. The scheme may be missing, and SOCKS schemes are allowed.
    init?(proxy: String) {
        self.init(
            proxy.contains("://") ? proxy : "http://" + proxy, relativeTo: nil,
            schemes: ["http", "https", "socks4", "socks4a", "socks5", "socks5h"])
    }

    /// Resolves a `Location` header against this URL.
    func resolving(_ location: String) -> ParsedURL? {
        ParsedURL(location, relativeTo: text, schemes: ["http", "https"])
    }

    /// The same URL with the user and password of another one, unless this URL has its own.
    func withCredentials(of other: ParsedURL) -> ParsedURL {
        guard user == nil, password == nil else { return self }
        var copy = self
        copy.user = other.user
        copy.password = other.password
        return copy
    }

    /// The same URL with another host name, used to override the TLS server name.
    func replacingHost(_ host: String) -> ParsedURL? {
        let authority = hasExplicitPort ? "\(host):\(port)" : host
        guard let start = text.firstRange(of: "://")?.upperBound else { return nil }
        let end = text[start...].firstIndex { $0 == "/" || $0 == "?" } ?? text.endIndex
        return ParsedURL(text[..<start] + authority + text[end...])
    }

    /// Whether scheme, host and port are equal.
    func hasSameOrigin(as other: ParsedURL) -> Bool {
        scheme == other.scheme && host == other.host && port == other.port
    }

    /// Scheme, host and port, for messages.
    var origin: String { "\(scheme)://\(authority)" }

    /// Host and port in the form of a `Host` header.
    package var authority: String {
        hasExplicitPort ? "\(bracketedHost):\(port)" : bracketedHost
    }

    var bracketedHost: String {
        host.contains(":") ? "[\(host)]" : host
    }

    private init?(_ text: some StringProtocol, relativeTo base: String?, schemes: [String]) {
        let text = String(text)
        guard !text.utf8.contains(0), let handle = curl_url() else { return nil }
        defer { curl_url_cleanup(handle) }
        // An absolute URL is sent as it was given. Only a relative one has its dot segments resolved.
        let flags = UInt32(CURLU_NON_SUPPORT_SCHEME | (base == nil ? CURLU_PATH_AS_IS : 0))
        if let base {
            guard curl_url_set(handle, CURLUPART_URL, base, flags) == CURLUE_OK else { return nil }
        }
        guard curl_url_set(handle, CURLUPART_URL, text, flags) == CURLUE_OK else { return nil }

        func part(_ part: CURLUPart, _ flags: Int32 = 0) -> String? {
            var value: UnsafeMutablePointer<CChar>?
            guard curl_url_get(handle, part, &value, UInt32(flags)) == CURLUE_OK, let value else { return nil }
            defer { curl_free(value) }
            return String(cString: value)
        }

        guard let scheme = part(CURLUPART_SCHEME)?.lowercased(), schemes.contains(scheme),
            var host = part(CURLUPART_HOST)?.lowercased(), !host.isEmpty
        else { return nil }
        if host.first == "[", host.last == "]" {
            host = String(host.dropFirst().dropLast())
        }
        let explicitPort = part(CURLUPART_PORT).flatMap { Int($0) }
        self.scheme = scheme
        self.host = host
        hasExplicitPort = explicitPort != nil
        port = explicitPort ?? Self.defaultPort(scheme)
        user = part(CURLUPART_USER, CURLU_URLDECODE)
        password = part(CURLUPART_PASSWORD, CURLU_URLDECODE)

        for secret in [CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_FRAGMENT] {
            curl_url_set(handle, secret, nil, 0)
        }
        guard let whole = part(CURLUPART_URL) else { return nil }
        self.text = whole
        curl_url_set(handle, CURLUPART_QUERY, nil, 0)
        redacted = part(CURLUPART_URL) ?? "\(scheme)://\(host)"
    }

    private static func defaultPort(_ scheme: String) -> Int {
        switch scheme {
        case "http": 80
        case "https": 443
        default: 1080
        }
    }
}
