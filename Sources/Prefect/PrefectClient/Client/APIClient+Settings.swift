internal import FoundationEssentials
package import HTTPTransport

extension APIClient.Configuration {
    /// Creates the configuration that the settings describe; `nil` without an API URL.
    public init?(settings: PrefectSettings) {
        guard let url = settings.apiBaseURL else { return nil }
        self.init(
            url: url, apiKey: settings.apiKey, authString: settings.authString, cloudURL: settings.cloudAPIURL,
            customHeaders: settings.customHeaders, requestTimeout: settings.requestTimeout,
            retryPolicy: RetryPolicy(settings: settings))
        isCloud = settings.isCloud
        csrfEnabled = settings.csrfSupportEnabled && !isCloud
    }

    /// Creates the configuration of an API with these credentials.
    ///
    /// - Parameters:
    ///   - url: The API's URL up to and including `/api`. For Cloud, up to and including the workspace.
    ///   - apiKey: The key of Cloud.
    ///   - authString: The credentials of a server, as `user:password`. They take precedence over the key.
    ///   - cloudURL: The URL with which the URLs of Prefect Cloud begin.
    ///   - customHeaders: Headers for every request. They replace the client's own, except the protected ones.
    ///   - requestTimeout: The limit for connecting, for the first byte, and for each pause in an answer.
    ///   - apiVersion: The version of the REST API that requests name. A server refuses versions below 0.8.0.
    public init(
        url: String, apiKey: Secret?, authString: Secret? = nil, cloudURL: String = "https://api.prefect.cloud/api",
        customHeaders: [(name: String, value: String)] = [], requestTimeout: Duration = .seconds(60),
        apiVersion: String = APIClient.apiVersion, retryPolicy: RetryPolicy = RetryPolicy()
    ) {
        let authorization =
            authString.map { Secret("Basic " + Data($0.reveal().utf8).base64EncodedString()) }
            ?? apiKey.map { Secret("Bearer " + $0.reveal()) }
        self.init(
            url: url, authorization: authorization, webSocketToken: authString ?? apiKey,
            customHeaders: customHeaders, isCloud: !cloudURL.isEmpty && url.hasPrefix(cloudURL),
            requestTimeout: requestTimeout, retryPolicy: retryPolicy)
        self.apiVersion = apiVersion
    }
}

extension RetryPolicy {
    /// Creates the policy that the settings describe.
    init(settings: PrefectSettings) {
        self.init(
            maxRetries: settings.maxRetries, jitterFactor: settings.retryJitterFactor,
            extraCodes: settings.retryExtraCodes)
    }
}

extension TransportConfiguration {
    /// Creates the transport configuration that the settings describe.
    package init(settings: PrefectSettings) {
        self.init(
            http2: settings.enableHTTP2,
            tls: TLSConfiguration(
                authorities: settings.sslCertFile.map { .file($0) } ?? .system,
                verifyPeer: !settings.tlsInsecureSkipVerify))
    }
}

extension APIClient {
    /// Creates a client with a transport of its own, which trusts the system's certificate authorities.
    ///
    /// - Throws: The error of the transport if it cannot be made.
    public convenience init(configuration: Configuration) throws {
        self.init(configuration: configuration, transport: try HTTPTransport(TransportConfiguration()))
    }

    /// Creates a client whose requests another transport sends.
    ///
    /// - Throws: The error of the built-in transport, which serves WebSockets, if it cannot be made.
    public convenience init(configuration: Configuration, transport: any APITransport) throws {
        self.init(
            configuration: configuration, transport: try HTTPTransport(TransportConfiguration()),
            ownTransport: transport)
    }

    /// Creates a client of the API that the settings name, with a transport of its own.
    ///
    /// - Throws: ``SettingsError/noAPI(profile:)`` if the settings have no API URL. The error of the transport if it
    ///   cannot be made, for example because the file of the certificates is not readable.
    public convenience init(settings: PrefectSettings) throws {
        try self.init(settings: settings, sleep: { try await Task.sleep(for: $0) })
    }

    /// Creates a client whose pauses between attempts are `sleep`.
    package convenience init(
        settings: PrefectSettings, sleep: @escaping @Sendable (Duration) async throws -> Void
    ) throws {
        guard let configuration = Configuration(settings: settings) else {
            throw SettingsError.noAPI(profile: settings.profileName)
        }
        self.init(configuration: configuration, transport: try HTTPTransport(.init(settings: settings)), sleep: sleep)
    }
}
