internal import Files
internal import FoundationEssentials
public import JSON
public import JobTemplates
public import Logging
internal import RESTClient
internal import Synchronization
public import Worker

/// Runs flow runs in containers of a Docker Engine, for work pools of the type `docker`. Podman's compatible socket
/// works as well.
///
/// Containers outlive the worker. One connection delivers the events of all containers, and inspections show how each
/// of them ended. When the Engine becomes unavailable, starts and watches wait for it. The identifier is the same as
/// the Python worker's: the Engine's URL, a colon, the container's id. Labels record the worker and the claim to which
/// a container belongs. So a container whose creation was never confirmed is found again, and is not created twice.
public final class DockerBackend: InfrastructureBackend {
    /// The options of a Docker backend.
    public struct Options: Sendable {
        /// The worker's own environment, which specifies where the Engine is.
        public var environment: [String: String]
        /// The worker's state directory, which stores the mark of its containers. Without a directory, each process
        /// uses a new mark, and does not find containers again that it has not recorded.
        public var stateDirectory: String?
        /// The destination of the containers' standard output.
        public var standardOutput: any OutputSink
        /// The destination of the containers' standard error.
        public var standardError: any OutputSink
        /// The log that the worker's operator reads.
        public var logger: Logger

        /// Creates options. By default, the worker's own output streams are the sinks.
        public init(
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

    public static let workerType = "docker"

    public static var defaultBaseJobTemplate: BaseJobTemplate { DefaultTemplates.docker() }

    public static let outlivesWorker = true

    /// The containers and claims in use, which no clean-up may touch.
    struct InHand: Sendable {
        /// The containers in use, from their creation until their run has been cleaned up.
        var containers: Set<String> = []
        /// The claims for which a container is being created.
        var claims: Set<String> = []
        /// The containers that this process started. Their output is printed from its beginning.
        var started: Set<String> = []
    }

    let options: Options
    let engine: EngineClient
    let watcher: EngineWatcher
    let configurationFolder: DockerConfigurationFolder
    /// The mark on this worker's containers.
    let owner: String
    let output: OutputPrinter
    let errors: OutputPrinter
    let marks: OutputMarks
    let inHand = Mutex(InHand())

    /// The interval between two searches for orphaned containers.
    private static let sweepInterval = Duration.seconds(600)

    /// Creates a backend without sending a request to the Engine. Throws an `InfrastructureError`. Its kind is
    /// `refused` when the environment does not specify a usable Engine, and `unavailable` when the system cannot
    /// create a thread.
    public init(options: Options) throws(InfrastructureError) {
        self.options = options
        configurationFolder = DockerConfigurationFolder(environment: options.environment)
        let endpoint = try EngineEndpoint(environment: options.environment, files: configurationFolder)
        let timeout = try Self.timeout(options.environment)
        do {
            engine = try EngineClient(endpoint: endpoint, timeout: timeout)
        } catch {
            throw InfrastructureError(.unavailable, "The Docker backend could not be started: \(error)")
        }
        owner = OwnerMark.take(in: options.stateDirectory)
        marks = OutputMarks(stateDirectory: options.stateDirectory, ofType: Self.workerType)
        watcher = EngineWatcher(engine: engine, logger: options.logger)
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

    public var unavailableReason: String? { watcher.availability.reason }

    public var watchLag: Duration? { watcher.lag }

    /// Watches the Engine, and removes orphaned containers at regular intervals.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.watcher.run() }
            group.addTask {
                while (try? await Task.sleep(for: Self.sweepInterval)) != nil { await self.sweep(except: []) }
            }
        }
    }

    public func configuration(rendered: JSONValue) throws -> DockerConfiguration {
        try DockerConfiguration(rendered: rendered)
    }

    public func prepare(
        _ configuration: DockerConfiguration, for context: PreparationContext
    ) throws -> DockerConfiguration {
        try configuration.prepared(for: context)
    }

    /// Stops the container, no matter which worker started it. The container gets SIGTERM, or the signal that its
    /// image names, and SIGKILL after `grace`.
    public func stop(
        _ identifier: InfrastructureIdentifier, job: Job<DockerConfiguration>, grace: Duration, reason: StopReason
    ) async throws {
        let handle = ContainerHandle(identifier, engine.endpoint)
        do {
            try await engine.stop(handle.container, grace: grace)
        } catch let error as EngineError {
            throw handle.failure(error, "Container '\(handle.container)' could not be stopped")
        }
    }

    /// Reports whether the Engine answers, and its product and version.
    public func check() async -> BackendReport {
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
            if (error as? EngineError)?.isTransient == true { watcher.note(error) }
            let detail = watcher.availability.reason ?? "The Docker Engine at \(address) cannot be used: \(error)"
            return BackendReport(findings: [.init(subject: subject, detail: detail, isGood: false)])
        }
    }

    // MARK: - Parts

    /// Sends a request to the Engine, and repeats it while the Engine is unavailable. A request that fails although
    /// the Engine is available is repeated a few times.
    func persistently<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        var failures = 0
        while true {
            do {
                return try await body()
            } catch let error as EngineError where error.isTransient {
                try await pause(after: error, &failures)
            }
        }
    }

    /// Waits until an Engine that gave no answer is available. Throws the error after repeated failures of an
    /// available Engine.
    func pause(after error: EngineError, _ failures: inout Int) async throws {
        failures += 1
        try await Task.sleep(for: .milliseconds(500))
        if watcher.availability.reason != nil { failures = 0 }
        if failures > 5 { throw error }
        await watcher.availability.waitUntilAvailable()
        try Task.checkCancellation()
    }

    /// The resource that represents a container in events.
    func resource(_ id: String, name: String) -> JSONValue {
        ["prefect.resource.id": .string("prefect.docker.container.\(id)"), "prefect.resource.name": .string(name)]
    }
}

/// A container, by the identifier that the API stores.
struct ContainerHandle: Sendable {
    let container: String
    /// Whether the container is on this worker's Engine, according to the identifier.
    let isHere: Bool

    init(_ identifier: InfrastructureIdentifier, _ endpoint: EngineEndpoint) {
        let text = identifier.rawValue
        let colon = text.lastIndex(of: ":")
        container = colon.map { String(text[text.index(after: $0)...]) } ?? text
        isHere = colon.map { text[..<$0] == endpoint.baseURL } ?? true
    }

    /// The identifier of a container on this worker's Engine.
    static func identifier(of container: String, on endpoint: EngineEndpoint) -> InfrastructureIdentifier {
        InfrastructureIdentifier(rawValue: "\(endpoint.baseURL):\(container)")
    }

    /// The worker's error for an error of the Engine. A container that is not on this Engine may be on another one.
    func failure(_ error: EngineError, _ subject: String) -> InfrastructureError {
        if error.isNotFound, !isHere {
            return InfrastructureError(
                .notReachable, "\(subject): it is not on this worker's Docker Engine; use a worker with that Engine")
        }
        return error.infrastructureError(subject)
    }
}

/// The random mark on a worker's containers, which is stored in the worker's state directory.
enum OwnerMark {
    static func take(in directory: String?) -> String {
        let fresh = UUID().uuidString.lowercased()
        guard let directory else { return fresh }
        let name = "docker-owner"
        if let bytes = RegularFile.read(name, below: directory, limit: 4096) {
            let kept = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
            if UUID(uuidString: kept) != nil { return kept }
        }
        // If the mark cannot be stored, no later process recognises the containers of this process.
        RegularFile.replace(name, below: directory, with: Array(fresh.utf8))
        return fresh
    }
}
