package import BackendKit
internal import FoundationEssentials
package import HTTPTransport
internal import PrefectREST

/// The connections to Google's services, and the environment that decides about them.
package struct GoogleSurroundings: Sendable {
    /// The worker's environment.
    package let environment: [String: String]
    package let transport: HTTPTransport

    /// Makes the connections of a worker. Sends no request.
    package init(_ host: BackendHost) throws(InfrastructureError) {
        environment = host.environment
        var environment = host.environment
        // The metadata server answers this machine only, so no proxy may be between.
        let exempted = ["no_proxy", "NO_PROXY"].compactMap { environment[$0] }.first ?? ""
        let metadata = "metadata.google.internal,169.254.169.254"
        environment["NO_PROXY"] = nil
        environment["no_proxy"] = exempted.isEmpty ? metadata : "\(exempted),\(metadata)"
        let file = host.environment["SSL_CERT_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        do {
            transport = try HTTPTransport(
                TransportConfiguration(
                    http2: true, tls: TLSConfiguration(authorities: file.map { .file($0) } ?? .system),
                    proxies: ProxyPolicy(environment: environment)))
        } catch {
            throw InfrastructureError(.unavailable, "The client of Google Cloud could not be started: \(error)")
        }
    }

    /// A client of one address that gives JSON.
    func client(of url: String, retries: Retries) -> RESTClient {
        var client = RESTClient(
            transport: transport, baseURL: url,
            headers: ["Accept": "application/json", "User-Agent": "prefect-worker"], retries: retries)
        client.reason = { GoogleReason.reason(of: $0) }
        return client
    }

    /// A variable of the environment; `nil` for an empty one.
    func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
}

/// The addresses of Google's services.
package enum GoogleURL {
    static let token = "https://oauth2.googleapis.com/token"
    static let scope = "https://www.googleapis.com/auth/cloud-platform"

    /// The address of a service: an override of gcloud (`CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN`), or else its usual host.
    ///
    /// - Parameters:
    ///   - service: The name of the service in gcloud's overrides.
    ///   - host: The part of the host before Google's domain, such as `us-central1-run`.
    package static func service(
        _ service: String, host: String, universe: String, environment: [String: String]
    ) -> String {
        let name = "CLOUDSDK_API_ENDPOINT_OVERRIDES_\(service.uppercased())"
        if var override = environment[name], !override.isEmpty {
            while override.last == "/" { override.removeLast() }
            return override
        }
        return "https://\(host).\(universe)"
    }
}
