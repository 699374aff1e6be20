public import BackendKit
public import JobTemplates
internal import Logging
internal import OrderedCollections
internal import PrefectClient
internal import PrefectConcurrency
public import PrefectJSON
internal import PrefectREST

/// Runs flow runs as Kubernetes jobs, for work pools of the type `kubernetes`.
///
/// A job belongs to Kubernetes and continues without the worker. Every worker finds it again by `namespace:name`, the
/// identifier that the Python worker uses as well. The jobs of all runs are watched together. A run counts as crashed
/// only on the cluster's evidence: its job has failed, or is confirmed not to exist.
public final class KubernetesBackend: ForeignRunObserver {
    /// The options of a Kubernetes backend.
    struct Options: Sendable {
        /// The worker's own environment, which is searched for the cluster's configuration.
        var environment: [String: String]
        /// The settings of Prefect's Kubernetes integration.
        var settings: IntegrationSettings
        /// The destination of the output of runs.
        var output: any OutputSink
        /// Whether job variables and blocks may name programs and files of the worker's host to authenticate with a
        /// cluster. The worker's own kubeconfig may always name them.
        var allowsHostCredentials: Bool
        /// The worker's state directory, if it has one.
        var stateDirectory: String?
        /// The log that the worker's operator reads.
        var logger: Logger
        /// The directory in which a pod finds its service account.
        var serviceAccount = ClusterAccess.inClusterDirectory
        var timing = KubernetesClient.Timing()
        /// The time that another worker has to report the crash of its own run.
        var orphanGrace = Duration.seconds(15)

        /// Creates options. By default, the worker's standard output is the sink.
        init(
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

    /// The constant properties of the backend; see `Backend.traits`.
    public static let traits = BackendTraits(
        type: "kubernetes", workerName: "KubernetesWorker", makeBaseJobTemplate: { defaultTemplate() },
        // The name of a job follows from its claim.
        startsClaimOnce: true,
        // A pod may never begin.
        isDoneOnceStarted: true,
        // A connection for the run's output, if the cluster does not share connections, and requests.
        openFilesPerRun: 2, settings: settings, bringsInfrastructure: { $0.presets("cluster_config") },
        shownUnprepared: { try KubernetesConfiguration.common($0) })

    let settings: KubernetesSettings
    let clusters: Clusters
    let output: OutputPrinter
    let log: OperatorLog
    let orphanGrace: Duration
    let marks: OutputMarks

    /// Makes a backend for a worker. Sends no request to the infrastructure.
    public convenience init(host: BackendHost) {
        self.init(
            options: .init(
                environment: host.environment, settings: host.settings, stateDirectory: host.stateDirectory,
                output: host.standardOutput, allowsHostCredentials: host.allowsHostCredentials, logger: host.logger))
    }

    /// Creates a backend. Nothing is read from the cluster before ``run()`` or ``check()``.
    init(options: Options) {
        settings = KubernetesSettings(options.settings)
        log = OperatorLog(options.logger)
        clusters = Clusters(
            environment: options.environment, serviceAccount: options.serviceAccount, timing: options.timing,
            observing: settings.observed, allowsHostCredentials: options.allowsHostCredentials, log: log)
        output = OutputPrinter(sink: options.output)
        orphanGrace = options.orphanGrace
        marks = OutputMarks(stateDirectory: options.stateDirectory, ofType: Self.traits.type)
        for warning in settings.warnings { log.logger.warning("\(warning)") }
    }

    /// Makes the workload of one flow run; see `Backend.workload(rendered:for:preparing:)`.
    public func workload(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> any Workload {
        let configuration = try KubernetesConfiguration(rendered: rendered)
        return KubernetesWorkload(
            backend: self, run: run,
            configuration: try context.map { try configuration.prepared(for: $0) } ?? configuration)
    }

    /// The reason why the worker's own cluster cannot be used at the moment; `nil` when there is none.
    public var unavailableReason: String? { clusters.ownCluster?.availability.unavailableReason }

    /// For how long the watch may have missed changes; see `Backend.watchLag`.
    public var watchLag: Duration? { clusters.watchLag }

    /// Watches the jobs of all runs, in all clusters.
    public func run() async { await clusters.run() }

    /// Observes the runs of other workers in the worker's own cluster, as far as the settings require that. Also
    /// reports the crashes of the pools' runs whose own worker does not report them.
    package func observe(_ runs: any ForeignRuns) async {
        guard let cluster = clusters.ownCluster else { return }
        await withDiscardingTaskGroup { group in
            group.addTask { await RunObserver(cluster: cluster, backend: self, runs: runs).run() }
            await runs.forEachPool(ofType: Self.traits.type) { await self.lookAfter($0, in: cluster) }
        }
    }
}
