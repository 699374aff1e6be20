internal import AzureAccess
public import BackendKit
internal import HTTPTransport
public import JobTemplates
internal import Logging
public import PrefectJSON
internal import Synchronization

/// Runs flow runs in Azure Container Instances, for work pools of the type `azure-container-instance`.
public typealias ContainerInstancesBackend = RemoteTaskBackend<ContainerInstancesService>

/// Azure Container Instances as a service of remote tasks: each flow run is a container group that the Resource Manager
/// deploys.
public struct ContainerInstancesService: RemoteTaskService {
    /// The constant properties of the backend.
    public static let traits = BackendTraits(
        type: "azure-container-instance", workerName: "AzureContainerWorker",
        makeBaseJobTemplate: { defaultTemplate() }, settings: settings,
        // The jobs name their resource group and may bring their credentials.
        bringsInfrastructure: { $0.presets("aci_credentials") })

    let access: AzureConnections
    let patience: CapacityPatience
    let host: BackendHost

    /// Makes the service for a worker. Sends no request.
    public init(host: BackendHost) throws {
        self.host = host
        access = AzureConnections(
            environment: host.environment, allowsHostCredentials: host.allowsHostCredentials)
        patience = CapacityPatience(host)
    }

    /// Validates a rendered job configuration, and completes it for a run.
    public func specification(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> ContainerInstancesSpecification {
        let configuration = try ContainerInstancesConfiguration(rendered: rendered, isComplete: context != nil)
        let prepared = try context.map { try configuration.prepared(for: $0) }
        return ContainerInstancesSpecification(
            place: ContainerInstancesPlace(group: configuration.place, credentials: configuration.credentials),
            runsFlowEngine: prepared?.isEngine ?? true, streamsOutput: configuration.streamsOutput,
            isKept: configuration.keepsGroup, capacityPatience: patience.duration,
            group: context.map { context in
                GroupTask.groupName(
                    flowName: context.flow?["name"]?.stringValue ?? "", flowRunID: run.flowRunID)
            }, flowRunID: run.flowRunID, prepared: prepared,
            cloud: (try? access.cloud(of: configuration.credentials)) ?? .global)
    }

    /// Makes the client of a resource group.
    public func client(at place: ContainerInstancesPlace) throws -> ContainerInstancesClient {
        do {
            return ContainerInstancesClient(place: place, arm: try access.resourceManager(for: place.credentials))
        } catch let error as AzureCredentialError {
            throw InfrastructureError(.refused, error.description)
        }
    }
}

/// The connections to Azure, one identity for each set of credentials.
final class AzureConnections: Sendable {
    private struct State {
        var transport: HTTPTransport?
        var direct: HTTPTransport?
        var identities: [AzureCredentials: AzureIdentity] = [:]
    }

    private let environment: [String: String]
    private let allowsHostCredentials: Bool
    private let state = Mutex(State())

    init(environment: [String: String], allowsHostCredentials: Bool) {
        self.environment = environment
        self.allowsHostCredentials = allowsHostCredentials
    }

    /// The certificate authorities, in the variables that Prefect and Azure's own clients read.
    private var authorities: TLSConfiguration.Authorities {
        let paths = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"].compactMap { environment[$0] }
        return paths.first { !$0.isEmpty }.map { .file($0) } ?? .system
    }

    /// The cloud for which a job's credentials are.
    func cloud(of credentials: AzureCredentials) throws -> AzureCloud {
        guard let authority = credentials.authority, let cloud = AzureCloud.cloud(ofAuthority: authority) else {
            return try AzureCloud(environment: environment)
        }
        return cloud
    }

    /// The client for the credentials of a job.
    func resourceManager(for credentials: AzureCredentials) throws -> ResourceManager {
        let transport = try transport(\.transport, ProxyPolicy(environment: environment))
        if let known = state.withLock({ $0.identities[credentials] }) {
            return ResourceManager(identity: known, transport: transport)
        }
        let fresh = try AzureIdentity(
            credentials, environment: environment, allowsHostCredentials: allowsHostCredentials, transport: transport,
            direct: { [weak self] in
                guard let self else { throw AzureCredentialError("The worker ends") }
                return try self.transport(\.direct, .direct)
            })
        let identity = state.withLock { state in
            let kept = state.identities[credentials] ?? fresh
            state.identities[credentials] = kept
            return kept
        }
        return ResourceManager(identity: identity, transport: transport)
    }

    private func transport(
        _ path: sending WritableKeyPath<State, HTTPTransport?>, _ proxies: ProxyPolicy
    ) throws -> HTTPTransport {
        if let known = state.withLock({ $0[keyPath: path] }) { return known }
        let fresh = try HTTPTransport(
            TransportConfiguration(tls: TLSConfiguration(authorities: authorities), proxies: proxies))
        return state.withLock { state in
            let kept = state[keyPath: path] ?? fresh
            state[keyPath: path] = kept
            return kept
        }
    }
}
