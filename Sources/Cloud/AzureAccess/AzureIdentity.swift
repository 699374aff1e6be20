package import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// Provides the tokens of one set of credentials. A token is requested on first use, and again five minutes before it
/// expires.
///
/// The default chain keeps to the first source that gave a token.
package final class AzureIdentity: Sendable {
    /// The cloud that the tokens are for.
    package let cloud: AzureCloud

    private let sources: [(kind: String, source: any TokenSource)]
    private let found: FoundSource
    private let token: RenewedValue<AzureToken>

    /// The index of the source that gave a token.
    private final class FoundSource: Sendable {
        let index = Mutex<Int?>(nil)
    }

    /// An identity.
    ///
    /// - Parameters:
    ///   - environment: The worker's environment, in which the default chain looks for credentials.
    ///   - allowsHostCredentials: Whether credentials of the host may be sent to a token service that a block names and
    ///     that is none of Azure's.
    ///   - transport: Reaches Azure.
    ///   - direct: Makes the transport for the machine's own metadata service, which no proxy reaches.
    package init(
        _ credentials: AzureCredentials, environment: [String: String], allowsHostCredentials: Bool,
        transport: HTTPTransport, direct: @escaping @Sendable () throws -> HTTPTransport,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) throws(AzureCredentialError) {
        var cloud = try AzureCloud(environment: environment)
        if let authority = credentials.authority, !authority.isEmpty {
            guard credentials.application != nil || allowsHostCredentials || AzureCloud.isKnown(authority: authority),
                let named = AzureCloud.cloud(ofAuthority: authority)
            else {
                throw AzureCredentialError(
                    "The block of 'aci_credentials' names the token service '\(authority)', which is none of Azure's; "
                        + "give the block an application of its own or correct 'authority'")
            }
            let resourceManager = environment[AzureCloud.resourceManagerVariable].map { _ in cloud.resourceManager }
            cloud = named
            if let resourceManager { cloud.resourceManager = resourceManager }
        }
        let service = TokenService(transport: transport, sleep: sleep)
        if let application = credentials.application {
            let name = "application '\(application.clientID)' of the block"
            sources = [(name, ClientSecretSource(name: name, service: service, application: application))]
        } else {
            let kinds = try TokenSourceKind.selected(by: environment)
                .filter { !credentials.excludedSources.contains($0) }
            let clientID = environment["AZURE_CLIENT_ID"].flatMap { $0.isEmpty ? nil : $0 }
            sources = kinds.map { kind in
                let source: any TokenSource =
                    switch kind {
                    case .environment: EnvironmentSource(service: service, environment: environment)
                    case .workloadIdentity: WorkloadIdentitySource(service: service, environment: environment)
                    case .managedIdentity:
                        ManagedIdentitySource(
                            transport: direct, environment: environment,
                            clientID: credentials.managedIdentityClientID ?? clientID, sleep: sleep)
                    case .azureCLI: CommandLineSource.azureCLI(environment: environment)
                    case .developerCLI: CommandLineSource.developerCLI(environment: environment)
                    }
                return (source.name, source)
            }
        }
        let found = FoundSource()
        self.cloud = cloud
        self.found = found
        token = RenewedValue(margin: .seconds(60), advance: .seconds(240)) { [sources, cloud] in
            try await Self.read(sources, found, for: cloud)
        }
    }

    /// The token to use now; `refused` is one that Azure has just refused.
    ///
    /// - Throws: ``AzureCredentialError``, or `RequestFailure` when the token service gives no answer.
    package func current(insteadOf refused: AzureToken? = nil) async throws -> AzureToken {
        try await token.current(unless: { $0 == refused })
    }

    private static func read(
        _ sources: [(kind: String, source: any TokenSource)], _ found: FoundSource, for cloud: AzureCloud
    ) async throws -> RenewedValue<AzureToken>.Reading {
        let known = found.index.withLock { $0 }
        var tried: [String] = []
        for (index, entry) in sources.enumerated() where known == nil || known == index {
            do {
                let reading = try await entry.source.read(for: cloud)
                found.index.withLock { $0 = index }
                return reading
            } catch let unavailable as SourceUnavailable {
                tried.append(
                    "\(entry.kind) (\(unavailable.reason.split(whereSeparator: \.isNewline).joined(separator: " ")))")
            }
        }
        throw AzureCredentialError(
            "No credentials for Azure were found; tried: \(tried.joined(separator: ", ")). Give the job an Azure Container "
                + "Instance Credentials block, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET for the "
                + "worker")
    }
}
