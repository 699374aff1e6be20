internal import FoundationEssentials
package import HTTPTransport

extension APIClient.Configuration {
    /// Creates the configuration that the settings describe; `nil` without an API URL.
    public init?(settings: PrefectSettings) {
        guard let url = settings.apiBaseURL else { return nil }
        // As in Prefect, the auth string of a server takes precedence over the key of Cloud.
        let authorization =
            settings.authString.map { Secret("Basic " + Data($0.reveal().utf8).base64EncodedString()) }
            ?? settings.apiKey.map { Secret("Bearer " + $0.reveal()) }
        self.init(
            url: url, authorization: authorization, webSocketToken: settings.authString ?? settings.apiKey,
            customHeaders: settings.customHeaders, csrfEnabled: settings.csrfSupportEnabled, isCloud: settings.isCloud,
            requestTimeout: settings.requestTimeout,
            retryPolicy: RetryPolicy(
                maxRetries: settings.maxRetries, jitterFactor: settings.retryJitterFactor,
                extraCodes: settings.retryExtraCodes))
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
