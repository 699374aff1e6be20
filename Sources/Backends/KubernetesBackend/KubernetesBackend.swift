internal import Concurrency
public import JSON
public import JobTemplates
public import Logging
internal import OrderedCollections
public import PrefectAPI
internal import RESTClient
internal import Synchronization
public import Worker

/// Runs flow runs as Kubernetes jobs, for work pools of the type `kubernetes`.
///
/// A job belongs to Kubernetes and continues without the worker. Every worker finds it again by `namespace:name`, the
/// identifier that the Python worker uses as well. The jobs of all runs are watched together. A run counts as crashed
/// only on the cluster's evidence: its job has failed, or is confirmed not to exist.
public final class KubernetesBackend: InfrastructureBackend {
    /// The options of a Kubernetes backend.
    public struct Options: Sendable {
        /// The worker's own environment, which is searched for the cluster's configuration.
        public var environment: [String: String]
        /// The settings of Prefect's Kubernetes integration.
        public var settings: IntegrationSettings
        /// The destination of the output of runs.
        public var output: any OutputSink
        /// Whether job variables and blocks may name programs and files of the worker's host to authenticate with a
        /// cluster. The worker's own kubeconfig may always name them.
        public var allowsHostCredentials: Bool
        /// The worker's state directory, if it has one.
        public var stateDirectory: String?
        /// The log that the worker's operator reads.
        public var logger: Logger
        /// The directory in which a pod finds its service account.
        var serviceAccount = ClusterAccess.inClusterFolder
        var timing = KubernetesClient.Timing()
        /// The time that another worker has to report the crash of its own run.
        var orphanGrace = Duration.seconds(15)

        /// Creates options. By default, the worker's standard output is the sink.
        public init(
            environment: [String: String], settings: IntegrationSettings, stateDirectory: String? = nil,
            output: any OutputSink = DescriptorSink.standardOutput, allowsHostCredentials: Bool = false,
            logger: Logger = Logger(label: "prefect.workers.kubernetes")
        ) {
            self.environment = environment
            self.settings = settings
            self.stateDirectory = stateDirectory
            self.output = output
            self.allowsHostCredentials = allowsHostCredentials
            self.logger = logger
        }
    }

    public static let workerType = "kubernetes"

    public static var defaultBaseJobTemplate: BaseJobTemplate { DefaultTemplates.kubernetes() }

    /// Jobs continue without the worker.
    public static let outlivesWorker = true

    /// A pod may never begin, so a worker that serves a pool once does not wait for it.
    public static let isDoneOnceStarted = true

    /// Whether a pool's template names the cluster of its jobs.
    public static func bringsInfrastructure(_ template: BaseJobTemplate) -> Bool {
        template.presets("cluster_config")
    }

    let settings: KubernetesSettings
    let clusters: Clusters
    let output: OutputPrinter
    let logger: Logger
    let orphanGrace: Duration
    let marks: OutputMarks
    private let said = Mutex<Set<String>>([])

    /// Creates a backend. Nothing is read from the cluster before ``run()`` or ``check()``.
    public init(options: Options) {
        settings = KubernetesSettings(options.settings)
        clusters = Clusters(
            environment: options.environment, serviceAccount: options.serviceAccount, timing: options.timing,
            observing: settings.observed, allowsHostCredentials: options.allowsHostCredentials, logger: options.logger)
        output = OutputPrinter(sink: options.output)
        logger = options.logger
        orphanGrace = options.orphanGrace
        marks = OutputMarks(stateDirectory: options.stateDirectory, ofType: Self.workerType)
        for warning in settings.warnings { logger.warning("\(warning)") }
    }

    public func configuration(rendered: JSONValue) throws -> KubernetesConfiguration {
        try KubernetesConfiguration(rendered: rendered)
    }

    public func prepare(
        _ configuration: KubernetesConfiguration, for context: PreparationContext
    ) throws -> KubernetesConfiguration {
        try configuration.prepared(for: context)
    }

    /// The reason why the worker's own cluster cannot be used at the moment; `nil` when there is none.
    public var unavailableReason: String? { clusters.ownCluster?.availability.unavailableReason }

    public var watchLag: Duration? { clusters.watchLag }

    /// Watches the jobs of all runs, in all clusters.
    public func run() async { await clusters.run() }

    /// Observes the runs of other workers in the worker's own cluster, as far as the settings require that. Also
    /// reports the crashes of the pools' runs whose own worker does not report them.
    public func observe(_ runs: any ForeignRuns) async {
        guard let cluster = clusters.ownCluster else { return }
        await withDiscardingTaskGroup { group in
            group.addTask { await RunObserver(cluster: cluster, backend: self, runs: runs).run() }
            await runs.forEachPool(ofType: Self.workerType) { await self.lookAfter($0, in: cluster) }
        }
    }

    /// Waits until the job has ended, no matter which worker started it. The cluster itself reports how it ended.
    public func wait(
        for identifier: InfrastructureIdentifier, job: Job<KubernetesConfiguration>
    ) async throws -> ExitStatus {
        let place = try JobReference(identifier)
        let cluster = try cluster(of: place, job)
        return try await JobFollower(
            place: place, reporter: job.reporter, cluster: cluster, backend: self,
            attention: FollowerAttention(job)
        ).run(cluster.watch.follow(namespace: place.namespace, name: place.name)).status
    }

    /// Forgets the run and removes its secret. The job stays until its own time to live is over.
    public func cleanUp(_ identifier: InfrastructureIdentifier, job: Job<KubernetesConfiguration>) async {
        guard let place = try? JobReference(identifier), let cluster = try? cluster(of: place, job) else { return }
        cluster.watch.forget(namespace: place.namespace, name: place.name)
        marks.removeAll { !$0.hasPrefix(job.flowRunID) }
        for name in SecretPlan.names(ofJob: place.name, settings: settings) {
            await remove(secret: name, of: place, cluster, job)
        }
    }

    /// Removes a secret of a job. While the cluster is unreachable, the removal is retried for some seconds.
    private func remove(
        secret name: String, of place: JobReference, _ cluster: Cluster, _ job: Job<KubernetesConfiguration>
    ) async {
        var failures = 0
        while true {
            do {
                try await cluster.client.delete(.secrets, namespace: place.namespace, name: name)
                return
            } catch let error as KubernetesError {
                cluster.availability.note(error)
                failures += 1
                let pause = Backoff(from: .seconds(1), to: .seconds(8)).pause(afterFailures: failures)
                if error.isTransient, failures < 5, (try? await Task.sleep(for: pause)) != nil {
                    continue
                }
                job.reporter.log(
                    .warning,
                    "The secret '\(name)' in the namespace '\(place.namespace)' exists until its job is deleted: "
                        + "\(error)")
                return
            } catch {
                return
            }
        }
    }

    /// The cluster of an existing job. Throws when the job configuration now names another cluster.
    func cluster(of place: JobReference, _ job: Job<KubernetesConfiguration>) throws(InfrastructureError) -> Cluster {
        let cluster = try clusters.cluster(for: job.configuration)
        if let server = place.server, server != cluster.client.access.server {
            throw InfrastructureError(
                .notReachable,
                "Job '\(place.identifier)' is in the cluster \(server), and the worker is configured for "
                    + "\(cluster.client.access.server)")
        }
        return cluster
    }

    /// Logs a warning for the operator, once.
    func logOnce(_ line: String) {
        if said.withLock({ $0.insert(line).inserted }) { logger.warning("\(line)") }
    }
}
