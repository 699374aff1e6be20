import CPrefectCurl

extension EasyHandle {
    /// Applies a plan as libcurl settings. The handle must be new or reset.
    func configure(_ plan: TransferPlan) throws(Refusal) {
        // Signals are for the program. libcurl's own use of SIGALRM is not safe with threads.
        try set(CURLOPT_NOSIGNAL, 1)
        // A resolver thread that hangs may end later by itself. Otherwise libcurl would block the loop until it ends.
        setIfKnown(CURLOPT_QUICK_EXIT, 1)
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_URL, plan.target.text)
        try set(CURLOPT_PATH_AS_IS, 1)
        try set(CURLOPT_FOLLOWLOCATION, 0)
        if plan.url.user != nil || plan.url.password != nil {
            try set(CURLOPT_USERNAME, plan.url.user ?? "")
            try set(CURLOPT_PASSWORD, plan.url.password ?? "")
        }
        try configureRequest(plan)
        try configureConnection(plan)
        try configureProxy(plan)
        try configureTLS(plan)
    }

    private func configureRequest(_ plan: TransferPlan) throws(Refusal) {
        switch plan.body {
        case .bytes(let bytes):
            try set(CURLOPT_POST, 1)
            try setBody(bytes)
        case .none where plan.method.announcesEmptyBody:
            try set(CURLOPT_POST, 1)
            try setBody([])
        case .none where plan.method == .head:
            try set(CURLOPT_NOBODY, 1)
        case .none:
            try set(CURLOPT_HTTPGET, 1)
        }
        try set(CURLOPT_CUSTOMREQUEST, plan.method.rawValue)
        try set(CURLOPT_HTTPHEADER, list: plan.headerLines)
        // Headers for the server must not be sent to the proxy that tunnels to it.
        try set(CURLOPT_HEADEROPT, Int(CURLHEADER_SEPARATE))
        if plan.decompress {
            try set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate")
        }
    }

    private func configureConnection(_ plan: TransferPlan) throws(Refusal) {
        try set(CURLOPT_HTTP_VERSION, plan.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1)
        // The loop enforces the deadline. libcurl needs the limit only to give up on one address in time for the next.
        try set(CURLOPT_CONNECTTIMEOUT_MS, max(1, (plan.deadlines.connect ?? .seconds(2_000_000)).inMilliseconds))
        if plan.isMostlySilent { try set(CURLOPT_BUFFERSIZE, Self.smallBuffer) }
        // libcurl takes whole seconds.
        try set(CURLOPT_MAXAGE_CONN, max(1, plan.idleExpiry.inMilliseconds / 1000))
        if plan.isSentOnce { try set(CURLOPT_FRESH_CONNECT, 1) }
        try setCloseOnExec()
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try set(CURLOPT_TCP_KEEPIDLE, 30)
        try set(CURLOPT_TCP_KEEPINTVL, 15)
        if let path = plan.unixSocketPath {
            try set(CURLOPT_UNIX_SOCKET_PATH, path)
        }
        if plan.target != plan.url {
            try set(CURLOPT_CONNECT_TO, list: ["::\(plan.url.bracketedHost):\(plan.url.port)"])
        }
    }

    private func configureProxy(_ plan: TransferPlan) throws(Refusal) {
        // Empty strings keep libcurl from reading the environment, because the plan already selects the proxy.
        try set(CURLOPT_NOPROXY, "")
        guard let proxy = plan.proxy else { return try set(CURLOPT_PROXY, "") }
        try set(CURLOPT_PROXY, proxy.address)
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        if proxy.user != nil || proxy.password != nil {
            try set(CURLOPT_PROXYUSERNAME, proxy.user ?? "")
            try set(CURLOPT_PROXYPASSWORD, proxy.password ?? "")
        }
        guard proxy.address.hasPrefix("https:") else { return }
        try set(CURLOPT_PROXY_SSL_VERIFYPEER, proxy.tls.verifyPeer ? 1 : 0)
        try set(CURLOPT_PROXY_SSL_VERIFYHOST, proxy.tls.verifyPeer ? 2 : 0)
        switch proxy.tls.authorities {
        case .system:
            break
        case .file(let path):
            try set(CURLOPT_PROXY_CAINFO, path)
            try set(CURLOPT_PROXY_CAPATH, nil)
        case .pem(let bytes):
            try set(CURLOPT_PROXY_CAINFO_BLOB, bytes: bytes)
            try set(CURLOPT_PROXY_CAPATH, nil)
        }
    }

    private func configureTLS(_ plan: TransferPlan) throws(Refusal) {
        guard plan.url.scheme == "https" else { return }
        let tls = plan.tls
        try set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        try set(CURLOPT_SSL_VERIFYPEER, tls.verifyPeer ? 1 : 0)
        try set(CURLOPT_SSL_VERIFYHOST, tls.verifyPeer ? 2 : 0)
        // Later connections share the parsed authorities, but a renewed file takes effect within minutes.
        setIfKnown(CURLOPT_CA_CACHE_TIMEOUT, 300)
        switch tls.authorities {
        case .system:
            // A directory in addition to the bundle repeats the same authorities, and keeps libcurl from sharing the
            // parsed ones.
            if Self.hasSystemBundle { try set(CURLOPT_CAPATH, nil) }
        case .file(let path):
            try set(CURLOPT_CAINFO, path)
            try set(CURLOPT_CAPATH, nil)
        case .pem(let bytes):
            try set(CURLOPT_CAINFO_BLOB, bytes: bytes)
            try set(CURLOPT_CAPATH, nil)
        }
        switch tls.clientCertificate {
        case .files(let certificate, let key):
            try set(CURLOPT_SSLCERT, certificate)
            try set(CURLOPT_SSLKEY, key)
        case .pem(let certificate, let key):
            try set(CURLOPT_SSLCERT_BLOB, bytes: certificate)
            try set(CURLOPT_SSLKEY_BLOB, bytes: key)
        case nil:
            break
        }
    }

    /// The size of the buffer for a stream that is silent most of the time. libcurl keeps it until the stream ends.
    private static let smallBuffer = 1024

    /// Whether this libcurl was built with a file of certificate authorities.
    private static let hasSystemBundle = ccurl_default_ca_file() != nil
}
