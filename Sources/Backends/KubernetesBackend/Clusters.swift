internal import BackendKit
internal import HTTPTransport
internal import Logging
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// A cluster that runs jobs: the client for it, the watch of its jobs, and its availability.
struct Cluster: Sendable {
    let client: KubernetesClient
    let watch: ClusterWatch
    let availability: Availability
}

/// The clusters in which runs are started: the worker's own, and those that blocks in job configurations name.
final class Clusters: Sendable {
    private struct State {
        var known: [ClusterAccess: Cluster] = [:]
    }

    private let environment: [String: String]
    private let timing: KubernetesClient.Timing
    private let scope: ObservationScope?
    private let allowsHostCredentials: Bool
    private let log: OperatorLog
    private let state = Mutex(State())
    private let changed = AsyncSignal()
    /// The access to the worker's own cluster, or the reason why there is none.
    let own: Result<ClusterAccess, ClusterConfigurationError>

    init(
        environment: [String: String], serviceAccount: String, timing: KubernetesClient.Timing,
        observing scope: ObservationScope?, allowsHostCredentials: Bool, log: OperatorLog
    ) {
        self.environment = environment
        self.timing = timing
        self.scope = scope
        self.allowsHostCredentials = allowsHostCredentials
        self.log = log
        own = Result { () throws(ClusterConfigurationError) in
            try ClusterAccess.surroundings(environment: environment, serviceAccount: serviceAccount)
        }
    }

    /// The cluster of a job configuration.
    func cluster(for configuration: KubernetesConfiguration) throws(InfrastructureError) -> Cluster {
        do {
            let block = configuration.clusterConfiguration
            guard !block.isNull else { return try cluster(own.get()) }
            return try cluster(ClusterAccess.block(block, allowsHostCredentials: allowsHostCredentials))
        } catch {
            throw InfrastructureError(.refused, error.description)
        }
    }

    /// The longest time for which a watch of one of the clusters has been lost.
    var watchLag: Duration { state.withLock { $0.known.values.map(\.watch.lag).max() ?? .zero } }

    /// The worker's own cluster; `nil` when the worker has none.
    var ownCluster: Cluster? { try? cluster(own.get()) }

    private func cluster(_ access: ClusterAccess) throws(ClusterConfigurationError) -> Cluster {
        if let known = state.withLock({ $0.known[access] }) { return known }
        let client = try KubernetesClient(access, environment: environment, timing: timing)
        let availability = Availability(client)
        // As in Prefect's own observer, the runs of other workers are observed in the worker's own cluster.
        let isOwn = (try? own.get()) == access
        let watch = ClusterWatch(
            client: client, availability: availability, observing: isOwn ? scope : nil, log: log)
        let cluster = Cluster(client: client, watch: watch, availability: availability)
        let kept = state.withLock { state in
            let kept = state.known[access] ?? cluster
            state.known[access] = kept
            return kept
        }
        changed.signal()
        return kept
    }

    /// Watches the jobs of all clusters, and whether the clusters are reachable, until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            var running: Set<ClusterAccess> = []
            while !Task.isCancelled {
                for (access, cluster) in state.withLock({ $0.known }) where running.insert(access).inserted {
                    group.addTask { await cluster.watch.run() }
                    group.addTask { await cluster.availability.run() }
                }
                await changed.wait()
            }
        }
    }
}

/// The log that the worker's operator reads.
final class OperatorLog: Sendable {
    let logger: Logger
    private let logged = Mutex<Set<String>>([])

    init(_ logger: Logger) { self.logger = logger }

    /// Logs a warning, unless it was logged before.
    func warnOnce(_ line: String) {
        if logged.withLock({ $0.insert(line).inserted }) { logger.warning("\(line)") }
    }
}

/// Whether a cluster can be used at the moment, according to the latest requests.
final class Availability: Sendable {
    private let client: KubernetesClient
    private let state = ObservedValue<String?>(nil)

    init(_ client: KubernetesClient) { self.client = client }

    /// The reason why nothing can be started at the moment; `nil` when there is none.
    var unavailableReason: String? { state.value }

    /// Records that a request failed.
    func note(_ error: KubernetesError) {
        guard error.kind == .unreachable || error.kind == .unauthorized else { return }
        let unavailableReason = Refusal.explanation(
            error, verb: "read the version", namespace: client.access.namespace, access: client.access)
        state.update { $0 = unavailableReason }
    }

    /// Requests the cluster's version, and records whether that succeeded. Returns the version.
    @discardableResult
    func probe() async throws -> String {
        do {
            let version = try await client.call(.get, "/version")
            state.update { $0 = nil }
            return version["gitVersion"]?.stringValue ?? "of an unknown version"
        } catch let error as KubernetesError {
            // A cluster that refuses to report its version has answered all the same.
            if error.kind == .forbidden {
                state.update { $0 = nil }
                return "of an unknown version (forbidden)"
            }
            note(error)
            throw error
        }
    }

    /// Retries while the cluster cannot be used, until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await state.wait { $0 != nil }
            if Task.isCancelled { return }
            if (try? await probe()) == nil {
                try? await Task.sleep(for: .milliseconds(Int.random(in: 1500...3000)))
            }
        }
    }
}
