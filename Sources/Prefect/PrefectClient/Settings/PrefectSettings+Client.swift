internal import PrefectJSON

extension PrefectSettings {
    /// The settings for sending log records of runs and workers to the API.
    package struct APILogging: Sendable, Hashable {
        /// Whether log records are sent at all.
        package let isEnabled: Bool
        /// The longest time that a batch waits.
        package let batchInterval: Duration
        /// The maximum number of bytes in a batch.
        package let batchSize: Int
        /// The longest record; on Prefect Cloud at most ``PrefectSettings/cloudMaxLogSize``.
        package let maxLogSize: Int
    }

    /// `PREFECT_API_URL` as given; `nil` if unset or empty.
    public var apiURL: String? { nonEmpty(Key.apiURL) }

    /// ``apiURL`` without trailing slashes.
    package var apiBaseURL: String? {
        apiURL.map { url in
            var url = url[...]
            while url.hasSuffix("/") { url.removeLast() }
            return String(url)
        }
    }

    /// `PREFECT_API_KEY`; `nil` if unset or empty.
    public var apiKey: Secret? { self[Key.apiKey] }
    /// `PREFECT_API_AUTH_STRING`, `user:password`; `nil` if unset or empty. It takes precedence over the key.
    public var authString: Secret? { self[Key.authString] }
    /// `PREFECT_API_REQUEST_TIMEOUT`, which applies separately to connecting, reading and writing.
    public var requestTimeout: Duration { .pause(seconds: self[Key.requestTimeout]) }
    /// `PREFECT_API_ENABLE_HTTP2`.
    public var enableHTTP2: Bool { self[Key.enablesHTTP2] }
    /// `PREFECT_API_TLS_INSECURE_SKIP_VERIFY`.
    public var tlsInsecureSkipVerify: Bool { self[Key.skipsTLSVerification] }

    /// `PREFECT_API_SSL_CERT_FILE`, otherwise `SSL_CERT_FILE` of the environment; `nil` means the system's authorities.
    public var sslCertFile: String? {
        if assignment(of: Key.certificateFile) != nil { return nonEmpty(Key.certificateFile) }
        return systemCertificateFile.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// `PREFECT_CLIENT_CUSTOM_HEADERS`. The values may be credentials.
    public var customHeaders: [(name: String, value: String)] { self[Key.customHeaders] }

    /// `PREFECT_CLIENT_MAX_RETRIES`.
    package var maxRetries: Int { self[Key.maxRetries] }
    /// `PREFECT_CLIENT_RETRY_JITTER_FACTOR`.
    package var retryJitterFactor: Double { self[Key.retryJitterFactor] }

    /// `PREFECT_CLIENT_RETRY_EXTRA_CODES`.
    package var retryExtraCodes: Set<Int> { self[Key.retryExtraCodes] }

    /// `PREFECT_CLIENT_CSRF_SUPPORT_ENABLED`.
    public var csrfSupportEnabled: Bool { self[Key.enablesCSRF] }

    /// Whether log lines may be coloured: `PREFECT_LOGGING_COLORS` and `PREFECT_CLI_COLORS`.
    package var colorsAreEnabled: Bool { self[Key.loggingColors] && self[Key.cliColors] }

    /// `PREFECT_CLIENT_METRICS_PORT`.
    package var clientMetricsPort: Int { self[Key.metricsPort] }

    /// `PREFECT_CLOUD_API_URL`.
    package var cloudAPIURL: String { self[Key.cloudAPIURL] ?? "" }
    /// `PREFECT_CLOUD_MAX_LOG_SIZE`, in characters.
    package var cloudMaxLogSize: Int { self[Key.cloudMaxLogSize] }

    /// Whether the API is Prefect Cloud's: its URL begins with `PREFECT_CLOUD_API_URL`.
    public var isCloud: Bool {
        guard let apiURL, !cloudAPIURL.isEmpty else { return false }
        return apiURL.hasPrefix(cloudAPIURL)
    }

    /// `PREFECT_DEBUG_MODE`.
    public var debugMode: Bool { self[Key.debugMode] }

    /// `PREFECT_LOGGING_LEVEL`; with ``debugMode``, always ``LogLevel/debug``.
    public var loggingLevel: LogLevel {
        if forcesDebugLogging { return .debug }
        return self[Key.loggingLevel].flatMap(LogLevel.init(name:)) ?? .info
    }

    /// Whether `DEBUG` overrides the levels of all loggers.
    var forcesDebugLogging: Bool { debugMode || self[Key.testMode] }

    /// `PREFECT_LOGGING_TO_API_*`.
    package var apiLogging: APILogging {
        APILogging(
            isEnabled: self[Key.logsToAPI],
            batchInterval: .pause(seconds: self[Key.logBatchInterval]),
            batchSize: self[Key.logBatchSize],
            maxLogSize: self[Key.maxLogSize])
    }

    /// `PREFECT_HOME` as an absolute path.
    public var home: String {
        SettingsFile.resolve(self[Key.home] ?? "\(userHome)/.prefect", in: workingDirectory)
    }

    private func nonEmpty(_ setting: Setting<String?>) -> String? { self[setting].flatMap { $0.isEmpty ? nil : $0 } }
}
