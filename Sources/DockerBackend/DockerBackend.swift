internal import Files
internal import FoundationEssentials
public import JSON
public import JobTemplates
public import Logging
internal import Synchronization
public import Worker

/// Runs flow runs in containers of a Docker Engine, for work pools of the type `docker`; Podman's compatible socket does as
/// well.
///
/// Containers outlive the worker. One connection brings what happens to all of them, and inspections say how each ended; an
/// Engine that goes away is waited for, whatever is under way. The identifier is the Python worker's: the Engine's URL, a
/// colon, the container's id. Labels say to which worker and to which claim a container belongs, so that one whose creation
/// was never answered is found again and not made a second time.
public final class DockerBackend: InfrastructureBackend {
    /// What a Docker backend is made of.
    public struct Options: Sendable {
        /// The worker's own environment, which says where the Engine is.
        public var environment: [String: String]
        /// The worker's state directory, in which it keeps the mark of its containers; without one it has another mark every
        /// time, and finds no containers again that it has not noted.
        public var stateDirectory: String?
        /// Where the standard output of containers goes.
        public var standardOutput: any OutputSink
        /// Where the standard error of containers goes.
        public var standardError: any OutputSink
        /// The log that the worker's operator reads.
        public var logger: Logger

        /// Options with the worker's own output as sinks.
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

    /// The containers and claims that are in hand, which no clean-up may touch.
    struct InHand: Sendable {
        /// From their creation until their run has been dealt with.
        var containers: Set<String> = []
        /// While their container is being created.
        var claims: Set<String> = []
        /// The containers that were started by this process, whose output is printed from its beginning.
        var started: Set<String> = []
    }

    let options: Options
    let engine: EngineClient
    let watcher: EngineWatcher
    let configurationFolder: DockerConfigurationFolder
    /// What this worker's containers are marked with.
    let owner: String
    let output: OutputPrinter
    let errors: OutputPrinter
    let marks: OutputMarks
    let inHand = Mutex(InHand())

    /// How often what was left is looked for.
    private static let sweepInterval = Duration.seconds(600)

    /// Makes a backend; nothing is asked of the Engine yet. Throws `InfrastructureError` of the kind `refused` when the
    /// environment does not say where an Engine is, `unavailable` when the system has no thread left.
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

    /// How long the Engine has for an answer: `DOCKER_CLIENT_TIMEOUT` or a minute.
    private static func timeout(_ environment: [String: String]) throws(InfrastructureError) -> Duration {
        guard let text = environment["DOCKER_CLIENT_TIMEOUT"], !text.isEmpty else { return .seconds(60) }
        guard let timeout = Duration(secondsText: text, in: 0.001...86_400) else {
            throw InfrastructureError(
                .refused,
                "DOCKER_CLIENT_TIMEOUT is '\(text.prefix(100))'; it must be a number of seconds above 0, at most 86400")
        }
        return timeout
    }

    public var trouble: String? { watcher.trouble.reason }

    public var watchLag: Duration? { watcher.lag }

    /// Watches the Engine, and removes from time to time what was left.
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

    /// Stops the container, whoever started it: SIGTERM, or the signal that the image names, after `grace` SIGKILL.
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

    /// Says whether the Engine answers, and what it is.
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
            let detail = watcher.trouble.reason ?? "The Docker Engine at \(address) cannot be used: \(error)"
            return BackendReport(findings: [.init(subject: subject, detail: detail, isGood: false)])
        }
    }

    // MARK: - Parts

    /// Asks the Engine something, and asks again for as long as it is away; one that is there and does not do it is asked a few
    /// times.
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

    /// Waits for an Engine that gave no answer. Throws the error when that was not for its being away.
    func pause(after error: EngineError, _ failures: inout Int) async throws {
        failures += 1
        try await Task.sleep(for: .milliseconds(500))
        if watcher.trouble.reason != nil { failures = 0 }
        if failures > 5 { throw error }
        await watcher.trouble.waitUntilOver()
        try Task.checkCancellation()
    }

    /// What events call a container.
    func resource(_ id: String, name: String) -> JSONValue {
        ["prefect.resource.id": .string("prefect.docker.container.\(id)"), "prefect.resource.name": .string(name)]
    }
}

/// A container by the identifier that the API has.
struct ContainerHandle: Sendable {
    let container: String
    /// Whether it is said to be on this worker's Engine.
    let isHere: Bool

    init(_ identifier: InfrastructureIdentifier, _ endpoint: EngineEndpoint) {
        let text = identifier.rawValue
        let colon = text.lastIndex(of: ":")
        container = colon.map { String(text[text.index(after: $0)...]) } ?? text
        isHere = colon.map { text[..<$0] == endpoint.baseURL } ?? true
    }

    /// The identifier of a container of this worker's Engine.
    static func identifier(of container: String, on endpoint: EngineEndpoint) -> InfrastructureIdentifier {
        InfrastructureIdentifier(rawValue: "\(endpoint.baseURL):\(container)")
    }

    /// What the worker makes of an Engine's error; a container that is not on this Engine may be on another one.
    func failure(_ error: EngineError, _ subject: String) -> InfrastructureError {
        if error.isNotFound, !isHere {
            return InfrastructureError(
                .notReachable, "\(subject): it is not on this worker's Docker Engine; use a worker with that Engine")
        }
        return error.infrastructureError(subject)
    }
}

/// What a worker marks its containers with: random, and kept in its state directory.
enum OwnerMark {
    static func take(in directory: String?) -> String {
        let fresh = UUID().uuidString.lowercased()
        guard let directory else { return fresh }
        let name = "docker-owner"
        if let bytes = RegularFile.read(name, below: directory, limit: 4096) {
            let kept = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
            if UUID(uuidString: kept) != nil { return kept }
        }
        // Without room for it the containers of this process are its own alone.
        RegularFile.replace(name, below: directory, with: Array(fresh.utf8))
        return fresh
    }
}
