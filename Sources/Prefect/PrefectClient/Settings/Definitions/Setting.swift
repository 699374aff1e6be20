/// A setting that this program reads, with the type of its value: `settings[Key.requestTimeout]`.
///
/// Its definition is an entry of the table of all settings, and is made here only once. So a name that is not in the
/// table, or a value of another type, does not compile.
struct Setting<Value: Sendable>: Sendable {
    let definition: SettingDefinition
    /// The value that applies when no source sets the setting.
    let fallback: Value
    /// Converts a value to the setting's type; `nil` for a value of another kind.
    let read: @Sendable (SettingValue) -> Value?

    /// The TOML path of the setting.
    var path: String { definition.path }
}

extension Setting where Value == Bool {
    init(_ path: String, default fallback: Bool, alias: String? = nil) {
        definition = SettingDefinition(path, .bool, default: fallback ? "True" : "False", alias: alias)
        self.fallback = fallback
        read = { if case .bool(let value) = $0 { value } else { nil } }
    }
}

extension Setting where Value == Int {
    init(_ path: String, _ bounds: SettingBounds = .none, default fallback: Int) {
        definition = SettingDefinition(path, .int(bounds), default: String(fallback))
        self.fallback = fallback
        read = { if case .int(let value) = $0 { value } else { nil } }
    }
}

extension Setting where Value == Double {
    init(_ path: String, _ bounds: SettingBounds = .none, default fallback: Double) {
        definition = SettingDefinition(path, .float(bounds), default: fallback.description)
        self.fallback = fallback
        read = { if case .float(let value) = $0 { value } else { nil } }
    }
}

extension Setting where Value == String? {
    init(_ path: String, _ kind: SettingKind = .string, default fallback: String? = nil) {
        definition = SettingDefinition(path, kind, default: fallback)
        self.fallback = fallback
        read = { if case .string(let value) = $0 { value } else { nil } }
    }
}

extension Setting where Value == Secret? {
    init(_ path: String) {
        definition = SettingDefinition(path, .secret)
        fallback = nil
        read = { if case .secret(let value) = $0, !value.isEmpty { value } else { nil } }
    }
}

extension Setting where Value == Set<Int> {
    init(_ path: String) {
        definition = SettingDefinition(path, .statusCodes, default: "")
        fallback = []
        read = { if case .statusCodes(let value) = $0 { value } else { nil } }
    }
}

extension Setting where Value == [(name: String, value: String)] {
    init(_ path: String) {
        definition = SettingDefinition(path, .stringMap, default: "{}")
        fallback = []
        read = { value in
            guard case .stringMap(let members) = value else { return nil }
            return members.map { (name: $0.key, value: $0.value) }
        }
    }
}

extension PrefectSettings {
    /// The settings that this program reads.
    enum Key {
        static let home = Setting<String?>("home", .home, default: "~/.prefect")
        static let debugMode = Setting<Bool>("debug_mode", default: false)
        static let apiURL = Setting<String?>("api.url")
        static let authString = Setting<Secret?>("api.auth_string")
        static let apiKey = Setting<Secret?>("api.key")
        static let skipsTLSVerification = Setting<Bool>("api.tls_insecure_skip_verify", default: false)
        static let certificateFile = Setting<String?>("api.ssl_cert_file")
        static let enablesHTTP2 = Setting<Bool>("api.enable_http2", default: false)
        static let requestTimeout = Setting<Double>("api.request_timeout", default: 60)
        static let cliColors = Setting<Bool>("cli.colors", default: true)
        static let maxRetries = Setting<Int>("client.max_retries", .atLeast(0), default: 5)
        static let retryJitterFactor = Setting<Double>("client.retry_jitter_factor", .atLeast(0), default: 0.2)
        static let retryExtraCodes = Setting<Set<Int>>("client.retry_extra_codes")
        static let enablesCSRF = Setting<Bool>("client.csrf_support_enabled", default: true)
        static let customHeaders = Setting<[(name: String, value: String)]>("client.custom_headers")
        static let metricsPort = Setting<Int>("client.metrics.port", default: 4201)
        static let cloudAPIURL = Setting<String?>("cloud.api_url", default: "https://api.prefect.cloud/api")
        static let cloudMaxLogSize = Setting<Int>("cloud.max_log_size", default: 25_000)
        static let loggingLevel = Setting<String?>("logging.level", .logLevel, default: "INFO")
        static let loggingColors = Setting<Bool>("logging.colors", default: true)
        static let logsToAPI = Setting<Bool>("logging.to_api.enabled", default: true)
        static let logBatchInterval = Setting<Double>("logging.to_api.batch_interval", default: 2)
        static let logBatchSize = Setting<Int>("logging.to_api.batch_size", default: 4_000_000)
        static let maxLogSize = Setting<Int>("logging.to_api.max_log_size", default: 1_000_000)
        static let testMode = Setting<Bool>("testing.test_mode", default: false, alias: "PREFECT_TEST_MODE")
        static let workerDebugMode = Setting<Bool>("worker.debug_mode", default: false)
        static let heartbeatSeconds = Setting<Double>("worker.heartbeat_seconds", default: 30)
        static let querySeconds = Setting<Double>("worker.query_seconds", default: 10)
        static let prefetchSeconds = Setting<Double>("worker.prefetch_seconds", default: 10)
        static let cancellationPollSeconds = Setting<Double>("worker.cancellation_poll_seconds", default: 120)
        static let webserverHost = Setting<String?>("worker.webserver.host", default: "0.0.0.0")
        static let webserverPort = Setting<Int>("worker.webserver.port", default: 8080)
        static let silencesURLWarnings = Setting<Bool>("silence_api_url_misconfiguration", default: false)
    }

    /// The effective value of a setting, which may be its default.
    subscript<Value>(setting: Setting<Value>) -> Value {
        value(of: setting.definition).flatMap(setting.read) ?? setting.fallback
    }

    /// The value and source of a setting that is set; `nil` when no source sets it.
    func assignment<Value>(of setting: Setting<Value>) -> Assignment? { assigned[setting.path] }
}
