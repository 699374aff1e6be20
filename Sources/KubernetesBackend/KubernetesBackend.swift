public import JSON
public import JobTemplates
internal import OrderedCollections
public import PrefectAPI
internal import Synchronization
public import Worker

/// Runs flow runs as Kubernetes jobs, for work pools of the type `kubernetes`.
///
/// A job is Kubernetes' own: it goes on when the worker is gone, and every worker finds it again by its identifier,
/// `namespace:name`, as the Python worker has it. The jobs of all runs are watched together, and a run is taken for crashed
/// only when the cluster says so: its job has failed, or is confirmed not to exist.
public final class KubernetesBackend: InfrastructureBackend {
    /// What a Kubernetes backend is made of.
    public struct Options: Sendable {
        /// The worker's own environment, in which the cluster's configuration is looked for.
        public var environment: [String: String]
        /// What is set for Prefect's Kubernetes integration.
        public var settings: IntegrationSettings
        /// Where the output of runs goes.
        public var output: any OutputSink
        /// Says something to the worker's operator.
        public var notice: @Sendable (String) -> Void
        /// Where a pod finds its service account.
        var serviceAccount = ClusterAccess.inClusterFolder
        var timing = KubernetesClient.Timing()
        /// For how long a crashed run of another worker is left to that worker.
        var courtesy = Duration.seconds(15)

        /// Options with the worker's standard output as sink.
        public init(
            environment: [String: String], settings: IntegrationSettings,
            output: any OutputSink = DescriptorSink.standardOutput,
            notice: @escaping @Sendable (String) -> Void = { _ in }
        ) {
            self.environment = environment
            self.settings = settings
            self.output = output
            self.notice = notice
        }
    }

    public static let workerType = "kubernetes"

    public static var defaultBaseJobTemplate: BaseJobTemplate { DefaultTemplates.kubernetes() }

    /// Jobs go on without the worker.
    public static let outlivesWorker = true

    /// A pool can name the cluster of its jobs.
    public static func bringsInfrastructure(_ template: BaseJobTemplate) -> Bool {
        template.presets("cluster_config")
    }

    let settings: KubernetesSettings
    let clusters: Clusters
    let output: OutputPrinter
    let notice: @Sendable (String) -> Void
    let courtesy: Duration
    private let said = Mutex<Set<String>>([])

    /// Makes a backend. Nothing is read from the cluster before ``run()`` or ``check()``.
    public init(options: Options) {
        settings = KubernetesSettings(options.settings)
        clusters = Clusters(
            environment: options.environment, serviceAccount: options.serviceAccount, timing: options.timing,
            observing: settings.observed, notice: options.notice)
        output = OutputPrinter(sink: options.output)
        notice = options.notice
        courtesy = options.courtesy
        for warning in settings.warnings { notice(warning) }
    }

    public func configuration(rendered: JSONValue) throws -> KubernetesConfiguration {
        try KubernetesConfiguration(rendered: rendered)
    }

    public func prepare(
        _ configuration: KubernetesConfiguration, for context: PreparationContext
    ) throws -> KubernetesConfiguration {
        try configuration.prepared(for: context)
    }

    /// Why the worker's own cluster cannot be used at the moment.
    public var trouble: String? { clusters.ownCluster?.availability.trouble }

    public var watchLag: Duration? { clusters.watchLag }

    /// Watches the jobs of all runs, wherever they are.
    public func run() async { await clusters.run() }

    /// Observes the runs of other workers in the worker's own cluster, as far as the settings ask for it.
    public func observe(_ runs: any OtherRuns) async {
        guard settings.observed != nil, let cluster = clusters.ownCluster else { return }
        await RunObserver(cluster: cluster, backend: self, runs: runs).run()
    }

    /// Waits until the job has ended, whoever started it, and is told by the cluster itself how.
    public func wait(
        for identifier: InfrastructureIdentifier, job: Job<KubernetesConfiguration>
    ) async throws -> ExitStatus {
        let place = try JobPlace(identifier)
        let cluster = try cluster(of: place, job)
        return try await JobFollower(
            place: place, reporter: job.reporter, cluster: cluster, backend: self,
            attention: FollowerAttention(job)
        ).run(cluster.watch.follow(namespace: place.namespace, name: place.name)).status
    }

    /// Lets go of what was kept of the run. The job stays, as long as its own time to live says.
    public func cleanUp(_ identifier: InfrastructureIdentifier, job: Job<KubernetesConfiguration>) async {
        guard let place = try? JobPlace(identifier), let cluster = try? cluster(of: place, job) else { return }
        cluster.watch.forget(namespace: place.namespace, name: place.name)
    }

    /// The cluster of a job that exists; throws when that is another one than the job configuration now names.
    func cluster(of place: JobPlace, _ job: Job<KubernetesConfiguration>) throws(InfrastructureError) -> Cluster {
        let cluster = try clusters.cluster(for: job.configuration)
        if let server = place.server, server != cluster.client.access.server {
            throw InfrastructureError(
                .notReachable,
                "Job '\(place.identifier)' is in the cluster \(server), and the worker is configured for "
                    + "\(cluster.client.access.server)")
        }
        return cluster
    }

    /// Says something to the operator, once.
    func sayOnce(_ line: String) {
        if said.withLock({ $0.insert(line).inserted }) { notice(line) }
    }
}
