internal import HTTPTransport
internal import JSON
internal import Logging
internal import PrefectAPI
internal import Synchronization
internal import Worker

/// A cluster that jobs run in: the way to it, and the watch of what runs there.
struct Cluster: Sendable {
    let client: KubernetesClient
    let watch: ClusterWatch
    let availability: Availability
}

/// The clusters that runs are launched in: the worker's own, and those that blocks in job configurations name.
final class Clusters: Sendable {
    private struct State {
        var known: [ClusterAccess: Cluster] = [:]
    }

    private let environment: [String: String]
    private let timing: KubernetesClient.Timing
    private let scope: ObservationScope?
    private let allowsHostCredentials: Bool
    private let logger: Logger
    private let state = Mutex(State())
    private let changed = Wakeup()
    /// The way to the worker's own cluster, or why there is none.
    let own: Result<ClusterAccess, ClusterConfigurationError>

    init(
        environment: [String: String], serviceAccount: String, timing: KubernetesClient.Timing,
        observing scope: ObservationScope?, allowsHostCredentials: Bool, logger: Logger
    ) {
        self.environment = environment
        self.timing = timing
        self.scope = scope
        self.allowsHostCredentials = allowsHostCredentials
        self.logger = logger
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

    /// For how long one of the clusters' watches has been lost.
    var watchLag: Duration { state.withLock { $0.known.values.map(\.watch.lag).max() ?? .zero } }

    /// The worker's own cluster; `nil` when it has none.
    var ownCluster: Cluster? { try? cluster(own.get()) }

    private func cluster(_ access: ClusterAccess) throws(ClusterConfigurationError) -> Cluster {
        if let known = state.withLock({ $0.known[access] }) { return known }
        let client = try KubernetesClient(access, environment: environment, timing: timing)
        let availability = Availability(client)
        // As with Prefect's own observer, it is the worker's own cluster where the runs of others are observed.
        let isOwn = (try? own.get()) == access
        let watch = ClusterWatch(
            client: client, availability: availability, observing: isOwn ? scope : nil, logger: logger)
        let cluster = Cluster(client: client, watch: watch, availability: availability)
        let kept = state.withLock { state in
            let kept = state.known[access] ?? cluster
            state.known[access] = kept
            return kept
        }
        changed.signal()
        return kept
    }

    /// Watches what runs in all of them, and whether they can be reached, until the task is cancelled.
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

/// Whether a cluster can be used at the moment, as the last who tried have found.
final class Availability: Sendable {
    private let client: KubernetesClient
    private let state = Mutex<String?>(nil)
    private let lost = Wakeup()

    init(_ client: KubernetesClient) { self.client = client }

    /// Why nothing can be started at the moment.
    var trouble: String? { state.withLock { $0 } }

    /// Notes that something could not be done.
    func note(_ error: KubernetesError) {
        guard error.kind == .unreachable || error.kind == .unauthorized else { return }
        let trouble = Refusal.explanation(
            error, verb: "read the version", namespace: client.access.namespace, access: client.access)
        state.withLock { $0 = trouble }
        lost.signal()
    }

    /// Asks the cluster for its version, and notes whether that worked. Returns the version.
    @discardableResult
    func probe() async throws -> String {
        do {
            let version = try await client.call(.get, "/version")
            state.withLock { $0 = nil }
            return version["gitVersion"]?.stringValue ?? "of an unknown version"
        } catch let error as KubernetesError {
            // Whoever may not read the version has been answered all the same.
            if error.kind == .forbidden {
                state.withLock { $0 = nil }
                return "whose version may not be read"
            }
            note(error)
            throw error
        }
    }

    /// Tries again, while the cluster cannot be used, until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            if trouble == nil {
                await lost.wait()
            } else if (try? await probe()) == nil {
                try? await Task.sleep(for: .milliseconds(Int.random(in: 1500...3000)))
            }
        }
    }
}
