internal import BackendKit
internal import FoundationEssentials
internal import HTTPTransport
internal import PrefectClient
internal import PrefectJSON
internal import PrefectREST

/// The worker's surroundings as far as access to AWS depends on them.
struct AWSSurroundings: Sendable {
    let environment: [String: String]
    /// Carries the requests to services.
    let transport: HTTPTransport
    /// Carries the requests to metadata services, which no proxy may get.
    let directTransport: HTTPTransport

    init(environment: [String: String]) throws {
        self.environment = environment
        transport = try HTTPTransport(TransportConfiguration(proxies: ProxyPolicy(environment: environment)))
        directTransport = try HTTPTransport(TransportConfiguration(proxies: .direct))
    }

    var metadata: MetadataCredentials {
        MetadataCredentials(environment: environment, transport: directTransport, readFile: readFile)
    }

    /// The name of the profile in use.
    func profileName(_ explicit: String?) -> String {
        let named = [explicit, environment["AWS_PROFILE"], environment["AWS_DEFAULT_PROFILE"]]
        return named.compactMap { $0 }.first { !$0.isEmpty } ?? "default"
    }

    /// A client without the settings of a block.
    func client(
        _ service: AWSService, in region: String, _ profile: AWSProfile?, _ credentials: CredentialSource?
    ) -> AWSClient {
        AWSClient(
            service, region: region,
            url: AWSEndpoints(environment: environment, profile: profile).url(of: service, in: region),
            credentials: credentials, transport: transport, tls: tls(authorities: nil, verifies: true))
    }

    /// The TLS settings: the authorities that the environment names, unless a block names others.
    func tls(authorities: String?, verifies: Bool) -> TLSConfiguration? {
        let named = [authorities, environment["AWS_CA_BUNDLE"], environment["REQUESTS_CA_BUNDLE"]]
        let file = named.compactMap { $0 }.first { !$0.isEmpty }
        guard file != nil || !verifies else { return nil }
        return TLSConfiguration(authorities: file.map { .file($0) } ?? .system, verifyPeer: verifies)
    }

    /// The text of a file, also behind links, through which platforms replace such files; `nil` when it cannot be read.
    static func text(ofFile path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Reads a small file; `nil` when it cannot be read.
    @Sendable
    func readFile(_ path: String) -> String? {
        Self.text(ofFile: path)
    }
}
