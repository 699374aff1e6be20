public import BackendKit
internal import FoundationEssentials
public import JobTemplates
internal import Logging
internal import PrefectConcurrency
internal import PrefectFiles
public import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// Runs flow runs in containers of a Docker Engine, for work pools of the type `docker`. Podman's compatible socket
/// works as well.
///
/// Containers outlive the worker. One connection delivers the events of all containers, and inspections show how each
/// of them ended. When the Engine becomes unavailable, starts and watches wait for it. The identifier is the same as
/// the Python worker's: the Engine's URL, a colon, the container's id. Labels record the worker and the claim to which
/// a container belongs. So a container whose creation was never confirmed is found again, and is not created twice.
public final class DockerBackend: ForeignRunObserver {
    /// The options of a Docker backend.
    struct Options: Sendable {
        /// The worker's own environment, which specifies where the Engine is.
        var environment: [String: String]
        /// The worker's state directory, which stores the mark of its containers. Without a directory, each process
        /// uses a new mark, and does not find containers again that it has not recorded.
        var stateDirectory: String?
        /// The destination of the containers' standard output.
        var standardOutput: any OutputSink
        /// The destination of the containers' standard error.
        var standardError: any OutputSink
        /// The log that the worker's operator reads.
        var logger: Logger
        /// The time that another worker has to report the crash of its own run.
        var orphanGrace = Duration.seconds(15)

        /// Creates options. By default, the worker's own output streams are the sinks.
        init(
            environment: [String: String], stateDirectory: String? = nil,
            standardOutput: any OutputSink = DescriptorSink.standardOutput,
            standardError: any OutputSink = DescriptorSink.standardError,
            logger: Logger = Logger(label: "prefect.workers.docker")
        ) {
            self.environment = environment
            self.stateDirectory = stateDirectory
            self.standardOutput = standardOutput
            self.standardError = standardError
            self.logger = logger
        }
    }

    /// The constant properties of the backend; see `Backend.traits`.
    public static let traits = BackendTraits(
        type: "docker", workerName: "DockerWorker", makeBaseJobTemplate: { defaultTemplate() },
        // The connection of the run's log, and the connections of the requests during its start.
        openFilesPerRun: 4, settings: settings)

    let options: Options
    let engine: EngineClient
    let watch: TaskWatch<ContainerSource>
    let configurationDirectory: DockerConfigurationDirectory
    /// The mark on this worker's containers.
    let owner: String
    let output: OutputPrinter
    let errors: OutputPrinter
    let marks: OutputMarks
    let inUse = TasksInUse()

    /// Makes a backend for a worker. Sends no request to the infrastructure.
    public convenience init(host: BackendHost) throws(InfrastructureError) {
        try self.init(
            options: .init(
                environment: host.environment, stateDirectory: host.stateDirectory,
                standardOutput: host.standardOutput, standardError: host.standardError, logger: host.logger))
    }

    /// Creates a backend without sending a request to the Engine. Throws an `InfrastructureError`. Its kind is
    /// `refused` when the environment does not specify a usable Engine, and `unavailable` when the system cannot
    /// create a thread.
    init(options: Options) throws(InfrastructureError) {
        self.options = options
        configurationDirectory = DockerConfigurationDirectory(environment: options.environment)
        let endpoint = try EngineEndpoint(environment: options.environment, files: configurationDirectory)
        let timeout = try Self.timeout(options.environment)
        do {
            engine = try EngineClient(endpoint: endpoint, timeout: timeout)
        } catch {
            throw InfrastructureError(.unavailable, "The Docker backend could not be started: \(error)")
        }
        owner = OwnerMark.take(in: options.stateDirectory, ofType: Self.traits.type)
        marks = OutputMarks(stateDirectory: options.stateDirectory, ofType: Self.traits.type)
        watch = TaskWatch(
            ContainerSource(engine: engine, owner: owner, logger: options.logger), ContainerSource.policy,
            isConnected: false)
        output = OutputPrinter(sink: options.standardOutput)
        errors = OutputPrinter(sink: options.standardError)
    }

    /// The time limit for an answer of the Engine: `DOCKER_CLIENT_TIMEOUT` in seconds, or one minute.
    private static func timeout(_ environment: [String: String]) throws(InfrastructureError) -> Duration {
        guard let text = environment["DOCKER_CLIENT_TIMEOUT"], !text.isEmpty else { return .seconds(60) }
        guard let timeout = Duration(secondsText: text, in: 0.001...86_400) else {
            throw InfrastructureError(
                .refused,
                "DOCKER_CLIENT_TIMEOUT is '\(text.prefix(100))'; it must be a number of seconds above 0, at most 86400")
        }
        return timeout
    }

    var availability: InfrastructureAvailability { watch.source.availability }

    /// Why nothing can be started at the moment; `nil` when it can.
    public var unavailableReason: String? { availability.reason }

    /// For how long the watch may have missed changes; see `Backend.watchLag`.
    public var watchLag: Duration? { watch.lag }

    /// Watches the Engine, and removes orphaned containers at regular intervals.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watch.run() }
            group.addTask { await OrphanSweep.run { await self.sweep(except: []) } }
        }
    }

    /// Completes what other workers no longer do for their containers of the served pools on this Engine.
    package func observe(_ runs: any ForeignRuns) async { await RunObserver(backend: self, runs: runs).run() }

    /// Makes the workload of one flow run; see `Backend.workload(rendered:for:preparing:)`.
    public func workload(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> any Workload {
        let configuration = try DockerConfiguration(rendered: rendered)
        return DockerWorkload(
            backend: self, run: run,
            configuration: try context.map { try configuration.prepared(for: $0) } ?? configuration)
    }

    /// Reports whether the Engine answers, and its product and version.
    public func check(_ pools: [PoolJobs]) async -> BackendReport {
        let subject = "Docker Engine"
        let address = engine.endpoint.description
        do {
            let version = try await engine.version(fresh: true, within: .seconds(10))
            let product = version.product ?? "Docker Engine"
            return BackendReport(findings: [
                .init(
                    subject: subject, detail: "\(product) \(version.engine) at \(address) answers, API \(version.api)",
                    isGood: true)
            ])
        } catch {
            if (error as? EngineError)?.isTransient == true { watch.source.note(error) }
            let detail = availability.reason ?? "The Docker Engine at \(address) cannot be used: \(error)"
            return BackendReport(findings: [.init(subject: subject, detail: detail, isGood: false)])
        }
    }

    // MARK: - Parts

    /// Sends a request to the Engine, and repeats it while the Engine is unavailable. A request that fails although
    /// the Engine is available is repeated a few times.
    func persistently<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        var failures = 0
        return try await retrying(body) { (error: EngineError, _) in
            guard error.isTransient, try await availability.mayRepeat(after: &failures) else { throw error }
            return .zero
        }
    }
}
