internal import JSON

extension PrefectSettings {
    /// The settings for sending log records of runs and workers to the API.
    public struct APILogging: Sendable, Hashable {
        /// Whether log records are sent at all.
        public let isEnabled: Bool
        /// The longest time that a batch waits.
        public let batchInterval: Duration
        /// The maximum number of bytes in a batch.
        public let batchSize: Int
        /// The longest record; on Prefect Cloud at most ``PrefectSettings/cloudMaxLogSize``.
        public let maxLogSize: Int
    }

    /// The settings for the client's own metrics.
    public struct ClientMetrics: Sendable, Hashable {
        /// Whether the metrics are served.
        public let isEnabled: Bool
        /// The port that serves the metrics.
        public let port: Int
    }

    /// `PREFECT_API_URL` as given; `nil` if unset or empty.
    public var apiURL: String? { nonEmptyString("api.url") }

    /// ``apiURL`` without trailing slashes.
    public var apiBaseURL: String? {
        apiURL.map { url in
            var url = url[...]
            while url.hasSuffix("/") { url.removeLast() }
            return String(url)
        }
    }

    /// `PREFECT_API_KEY`; `nil` if unset or empty.
    public var apiKey: Secret? { secret("api.key") }
    /// `PREFECT_API_AUTH_STRING`, `user:password`; `nil` if unset or empty. It takes precedence over the key.
    public var authString: Secret? { secret("api.auth_string") }
    /// `PREFECT_API_REQUEST_TIMEOUT`, which applies separately to connecting, reading and writing.
    public var requestTimeout: Duration { .pause(seconds: double("api.request_timeout")) }
    /// `PREFECT_API_ENABLE_HTTP2`.
    public var enableHTTP2: Bool { bool("api.enable_http2") }
    /// `PREFECT_API_TLS_INSECURE_SKIP_VERIFY`.
    public var tlsInsecureSkipVerify: Bool { bool("api.tls_insecure_skip_verify") }

    /// `PREFECT_API_SSL_CERT_FILE`, otherwise `SSL_CERT_FILE` of the environment; `nil` means the system's authorities.
    public var sslCertFile: String? {
        if assigned["api.ssl_cert_file"] != nil { return nonEmptyString("api.ssl_cert_file") }
        return systemCertificateFile.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// `PREFECT_CLIENT_CUSTOM_HEADERS`. The values may be credentials.
    public var customHeaders: [(name: String, value: String)] {
        guard case .stringMap(let headers) = value("client.custom_headers") else { return [] }
        return headers.map { (name: $0.key, value: $0.value) }
    }

    /// `PREFECT_CLIENT_MAX_RETRIES`.
    public var maxRetries: Int { int("client.max_retries") }
    /// `PREFECT_CLIENT_RETRY_JITTER_FACTOR`.
    public var retryJitterFactor: Double { double("client.retry_jitter_factor") }

    /// `PREFECT_CLIENT_RETRY_EXTRA_CODES`.
    public var retryExtraCodes: Set<Int> {
        guard case .statusCodes(let codes) = value("client.retry_extra_codes") else { return [] }
        return codes
    }

    /// `PREFECT_CLIENT_CSRF_SUPPORT_ENABLED`.
    public var csrfSupportEnabled: Bool { bool("client.csrf_support_enabled") }
    /// `PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED`.
    public var serverVersionCheckEnabled: Bool { bool("client.server_version_check_enabled") }

    /// Whether log lines may be coloured: `PREFECT_LOGGING_COLORS` and `PREFECT_CLI_COLORS`.
    public var colorsAreEnabled: Bool { bool("logging.colors") && bool("cli.colors") }

    /// `PREFECT_CLIENT_METRICS_ENABLED` and `_PORT`.
    public var clientMetrics: ClientMetrics {
        ClientMetrics(isEnabled: bool("client.metrics.enabled"), port: int("client.metrics.port"))
    }

    /// `PREFECT_CLOUD_API_URL`.
    public var cloudAPIURL: String { string("cloud.api_url") ?? "" }
    /// `PREFECT_CLOUD_MAX_LOG_SIZE`, in characters.
    public var cloudMaxLogSize: Int { int("cloud.max_log_size") }

    /// Whether the API is Prefect Cloud's: its URL begins with ``cloudAPIURL``.
    public var isCloud: Bool {
        guard let apiURL, !cloudAPIURL.isEmpty else { return false }
        return apiURL.hasPrefix(cloudAPIURL)
    }

    /// `PREFECT_DEBUG_MODE`.
    public var debugMode: Bool { bool("debug_mode") }

    /// `PREFECT_LOGGING_LEVEL`; with ``debugMode``, always ``LogLevel/debug``.
    public var loggingLevel: LogLevel {
        if forcesDebugLogging { return .debug }
        return string("logging.level").flatMap(LogLevel.init(name:)) ?? .info
    }

    /// Whether `DEBUG` overrides the levels of all loggers.
    var forcesDebugLogging: Bool { debugMode || bool("testing.test_mode") }

    /// `PREFECT_LOGGING_TO_API_*`.
    public var apiLogging: APILogging {
        APILogging(
            isEnabled: bool("logging.to_api.enabled"),
            batchInterval: .pause(seconds: double("logging.to_api.batch_interval")),
            batchSize: int("logging.to_api.batch_size"),
            maxLogSize: int("logging.to_api.max_log_size"))
    }

    /// `PREFECT_HOME` as an absolute path.
    public var home: String {
        SettingsFile.resolve(string("home") ?? "\(userHome)/.prefect", in: workingDirectory)
    }

    /// `PREFECT_UI_URL`, otherwise the likely URL of the API's UI; `nil` without an API.
    public var uiURL: String? {
        if let url = nonEmptyString("ui_url") { return url }
        guard var url = apiURL else { return nil }
        if url.hasPrefix(cloudAPIURL), let cloudUI = cloudUIURL { url = cloudUI + url.dropFirst(cloudAPIURL.count) }
        if url.hasSuffix("/api") { url.removeLast(4) }
        return url.replacing("/api/", with: "/")
            .replacing("/accounts/", with: "/account/")
            .replacing("/workspaces/", with: "/workspace/")
    }

    /// `PREFECT_CLOUD_UI_URL`, otherwise ``cloudAPIURL`` with `app` instead of `api` on Prefect's own hosts.
    private var cloudUIURL: String? {
        if let url = nonEmptyString("cloud.ui_url") { return url }
        var url = cloudAPIURL
        let prefix = "https://api"
        if url.hasPrefix(prefix) {
            let host = url.dropFirst("https://".count).prefix { $0 != "/" }
            if host.contains(".prefect.") { url = "https://app" + url.dropFirst(prefix.count) }
        }
        if url.hasSuffix("/api") { url.removeLast(4) }
        return url.isEmpty ? nil : url
    }
}

// MARK: - Reading values

extension PrefectSettings {
    func bool(_ path: String) -> Bool {
        guard case .bool(let value) = value(path) else { return false }
        return value
    }

    func int(_ path: String) -> Int {
        guard case .int(let value) = value(path) else { return 0 }
        return value
    }

    func double(_ path: String) -> Double {
        guard case .float(let value) = value(path) else { return 0 }
        return value
    }

    func string(_ path: String) -> String? {
        guard case .string(let value) = value(path) else { return nil }
        return value
    }

    private func nonEmptyString(_ path: String) -> String? {
        string(path).flatMap { $0.isEmpty ? nil : $0 }
    }

    private func secret(_ path: String) -> Secret? {
        guard case .secret(let value) = value(path), !value.isEmpty else { return nil }
        return value
    }
}
