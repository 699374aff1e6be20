internal import FoundationEssentials
public import HTTPTransport

extension APIClient.Configuration {
    /// The client that the settings describe; `nil` without an API URL.
    public init?(settings: PrefectSettings) {
        guard let url = settings.apiBaseURL else { return nil }
        // The auth string of a server goes before the key of Cloud, as in Prefect.
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
    /// The transport that the settings describe.
    public init(settings: PrefectSettings) {
        self.init(
            http2: settings.enableHTTP2,
            tls: TLSConfiguration(
                authorities: settings.sslCertFile.map { .file($0) } ?? .system,
                verifyPeer: !settings.tlsInsecureSkipVerify))
    }
}
