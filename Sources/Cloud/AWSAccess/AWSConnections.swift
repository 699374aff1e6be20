package import BackendKit
internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// The connections of a worker to AWS: one for each set of credentials.
package final class AWSConnections: Sendable {
    private let surroundings: AWSSurroundings
    private let endpoint: String?
    private let known = Mutex<[AWSConfiguration: AWSConnection]>([:])

    /// Connections of a worker. Sends no request.
    ///
    /// - Parameter endpoint: The URL for all services, instead of every other one.
    package init(environment: [String: String], endpoint: String? = nil) throws(InfrastructureError) {
        do {
            surroundings = try AWSSurroundings(environment: environment)
        } catch {
            throw InfrastructureError(.unavailable, "The HTTP client cannot be started: \(error)")
        }
        self.endpoint = endpoint
    }

    /// The connection with these credentials. Throws ``InfrastructureError`` when no region is known.
    package func connection(_ configuration: AWSConfiguration) throws(InfrastructureError) -> AWSConnection {
        if let known = known.withLock({ $0[configuration] }) { return known }
        let fresh = try AWSConnection(configuration, surroundings, endpoint: endpoint)
        return known.withLock { known in
            if let kept = known[configuration] { return kept }
            known[configuration] = fresh
            return fresh
        }
    }
}

/// The access to AWS with one set of credentials in one region.
package final class AWSConnection: Sendable {
    /// The credentials as they were configured.
    package let configuration: AWSConfiguration
    /// The region of all requests.
    package let region: String
    /// The region's partition.
    package let partition: AWSPartition
    private let surroundings: AWSSurroundings
    private let endpoint: String?
    private let profile: AWSProfile?
    private let credentials: CredentialSource

    init(
        _ configuration: AWSConfiguration, _ surroundings: AWSSurroundings, endpoint: String?
    ) throws(InfrastructureError) {
        let name = surroundings.profileName(configuration.profile)
        let profile = AWSProfileFiles(environment: surroundings.environment).profile(named: name)
        let named = [
            configuration.region, surroundings.environment["AWS_DEFAULT_REGION"],
            surroundings.environment["AWS_REGION"], profile?["region"],
        ]
        guard let region = named.compactMap({ $0 }).first(where: { !$0.isEmpty }) else {
            throw InfrastructureError(
                .refused,
                "No AWS region is known; set AWS_DEFAULT_REGION or AWS_REGION, or 'region_name' of the block 'aws-credentials'"
            )
        }
        guard region.utf8.allSatisfy({ Self.isPartOfRegion($0) }), region.utf8.count <= 40 else {
            throw InfrastructureError(
                .refused, "'\(region.prefix(40))' is no name of an AWS region; correct it (a region is like us-east-1)")
        }
        self.configuration = configuration
        self.surroundings = surroundings
        self.profile = profile
        self.region = region
        self.endpoint = endpoint
        partition = .of(region: region)
        credentials = Self.credentials(configuration, surroundings, profile, region, endpoint: endpoint)
    }

    private static func isPartOfRegion(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }

    private static func credentials(
        _ configuration: AWSConfiguration, _ surroundings: AWSSurroundings, _ profile: AWSProfile?, _ region: String,
        endpoint: String?
    ) -> CredentialSource {
        let base: CredentialSource
        if let keys = configuration.keys {
            let reading = CredentialReading(keys, origin: "the block 'aws-credentials'")
            base = CredentialSource { reading }
        } else {
            let chain = CredentialChain(
                surroundings: surroundings, explicitProfile: configuration.profile, region: region)
            base = CredentialSource { try await chain.read() }
        }
        guard let role = configuration.role else { return base }
        var client = surroundings.client(.sts, in: region, profile, base)
        if let endpoint { client.rest.baseURL = endpoint }
        let roles = client
        return CredentialSource { try await roles.assume(role) }
    }

    /// The host of the console for this region; `nil` where the console is out of public reach.
    package var consoleHost: String? { partition.consoleHost }

    /// A client of a service, in another region where one is given.
    package func client(_ service: AWSService, in other: String? = nil) -> AWSClient {
        let region = other ?? region
        let usual = AWSEndpoints(environment: surroundings.environment, profile: profile).url(of: service, in: region)
        var url = endpoint ?? configuration.endpoint ?? usual
        if !configuration.usesTLS, url.hasPrefix("https://"), configuration.endpoint == nil {
            url = "http://\(url.dropFirst("https://".count))"
        }
        return AWSClient(
            service, region: region, url: url, credentials: credentials, transport: surroundings.transport,
            tls: surroundings.tls(authorities: configuration.authorities, verifies: configuration.verifies))
    }

    /// The source of the credentials, for messages. Throws when there are none.
    package func origin() async throws -> String { try await credentials.origin() }
}
