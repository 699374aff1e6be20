public import BackendKit
internal import Glibc
public import JobTemplates
internal import Logging
internal import OrderedCollections
internal import PrefectConcurrency
internal import PrefectFiles
public import PrefectJSON

/// Runs flow runs as processes on the worker's own host, for work pools of the type `process`.
///
/// A run's process leads its own session and inherits only its environment. It writes its output into files of its
/// private directory. So it continues to run when the worker ends, and the next worker finds it again. One thread
/// watches all runs.
///
/// The identifier is the pid. Its handle also states when and where the process started, so that a reused pid is never
/// taken for the run.
public final class ProcessBackend: Backend {
    /// The options of a process backend.
    struct Options: Sendable {
        /// The Python interpreter for jobs without a command: a path, or a name on the worker's PATH. `none` stands for
        /// no interpreter, `nil` for the first of `python` and `python3` on the PATH.
        var interpreter: String?
        /// The worker's own environment.
        var environment: [String: String]
        /// The parent of the private directories of runs; `nil` for `$TMPDIR`, or else `/tmp`.
        var runDirectories: String?
        /// Whether only this worker makes directories there, so that it can remove those of finished runs.
        var ownsRunDirectories: Bool
        /// The destination of the standard output of runs.
        var standardOutput: any OutputSink
        /// The destination of the standard error of runs.
        var standardError: any OutputSink
        /// The time limit for all hooks of a flow together.
        var hookTimeLimit: Duration
        /// The time limit for the check whether the interpreter has Prefect.
        var checkTimeLimit: Duration
        /// Which runs start as copies of a process that has imported the flow engine.
        var warmEngines = WarmEngines.off
        /// Whether the check examines whether the interpreter can have warm engines.
        var examinesWarmEngines = false
        /// The environment of a run as far as it is the same for all runs; `nil` for the worker's own.
        var runEnvironment: [String: String]?
        /// How long such processes live.
        var zygotes = ZygotePool.Limits()
        /// The log that the worker's operator reads.
        var logger = Logger(label: "prefect.workers", factory: { _ in SwiftLogNoOpLogHandler() })
        /// The time limit for the answer of a run's process to a request to cancel. The process gets SIGTERM even
        /// without an answer.
        var cancelPatience = Duration.seconds(1)

        /// Makes options with the worker's own output as sinks.
        init(
            interpreter: String? = nil, environment: [String: String], runDirectories: String? = nil,
            ownsRunDirectories: Bool = false,
            standardOutput: any OutputSink = DescriptorSink.standardOutput,
            standardError: any OutputSink = DescriptorSink.standardError,
            hookTimeLimit: Duration = .seconds(60), checkTimeLimit: Duration = .seconds(15)
        ) {
            self.interpreter = interpreter
            self.environment = environment
            self.runDirectories = runDirectories
            self.ownsRunDirectories = ownsRunDirectories
            self.standardOutput = standardOutput
            self.standardError = standardError
            self.hookTimeLimit = hookTimeLimit
            self.checkTimeLimit = checkTimeLimit
        }
    }

    /// The constant properties of the backend; see `Backend.traits`.
    public static let traits = BackendTraits(
        type: "process", workerName: "ProcessWorker", makeBaseJobTemplate: { defaultTemplate() },
        outlivesWorker: false, inheritsEnvironment: true,
        // The pidfd, two output files, the control session, and a few more files during the start.
        openFilesPerRun: 6)

    let options: Options
    let interpreter: Interpreter
    let runDirectories: String
    let supervisor: ProcessSupervisor
    let zygotes: ZygotePool
    let starts = EngineStarts()
    /// The tag in the names of the directories that this backend makes. Directories without it belong to an earlier
    /// worker.
    let tag: String
    private let loop: EventLoop
    private let pumps: [OutputPump]

    /// Makes a backend with private directories of runs in the worker's state directory, if it has one.
    public convenience init(host: BackendHost) throws(InfrastructureError) {
        var options = Options(
            interpreter: host.python, environment: host.environment,
            runDirectories: host.stateDirectory.map { "\($0)/runs" },
            ownsRunDirectories: host.stateDirectory != nil, standardOutput: host.standardOutput,
            standardError: host.standardError, checkTimeLimit: .seconds(60))
        options.warmEngines = host.warmEngines
        options.examinesWarmEngines = host.isForCheck
        options.runEnvironment = host.runEnvironment
        options.logger = host.logger
        try self.init(options: options)
    }

    /// Makes a backend and starts its threads. Throws `InfrastructureError` of the kind `unavailable` when the system
    /// provides no descriptor or thread.
    init(options: Options) throws(InfrastructureError) {
        self.options = options
        tag = randomHexadecimal(bytes: 4) ?? "\(getpid())x"
        interpreter = Interpreter(choice: options.interpreter, environment: options.environment)
        let temporary = options.environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 }
        runDirectories = absolutePath(
            options.runDirectories ?? temporary ?? "/tmp", home: options.environment["HOME"])
        guard let loop = EventLoop.started(name: "processes"),
            let output = OutputPump.started(name: "run-stdout", sink: options.standardOutput),
            let errors = OutputPump.started(name: "run-stderr", sink: options.standardError)
        else {
            throw InfrastructureError(
                .unavailable,
                "The process backend could not be started: \(systemMessage(errno)); raise the limit of open files")
        }
        self.loop = loop
        pumps = [output, errors]
        supervisor = ProcessSupervisor(
            loop: loop, outputPump: output, errorPump: errors, cancelPatience: options.cancelPatience)
        zygotes = ZygotePool(
            mode: options.warmEngines, environment: options.environment,
            runEnvironment: options.runEnvironment ?? options.environment, interpreter: interpreter, loop: loop,
            logger: options.logger, counts: starts, limits: options.zygotes)
    }

    deinit {
        loop.stop()
        for pump in pumps { pump.stop() }
    }

    /// Keeps the processes of which runs are copies; see `Backend.run()`.
    public func run() async { await zygotes.run() }

    /// Ends the processes of which runs are copies; see `Backend.releaseSpares()`.
    public func releaseSpares() async { await zygotes.close() }

    /// The starts of flow engines, if some may be warm; see `Backend.activity`.
    public var activity: JSONValue? {
        guard options.warmEngines != .off else { return nil }
        return ["warm_engines": .string(options.warmEngines.rawValue), "engine_starts": starts.json]
    }

    /// Makes the workload of one flow run; see `Backend.workload(rendered:for:preparing:)`.
    public func workload(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> any Workload {
        let configuration = try ProcessConfiguration(rendered: rendered)
        guard let context else { return ProcessWorkload(backend: self, run: run, configuration: configuration) }
        let command =
            switch interpreter {
            case .python(let path): processEngineCommand(interpreter: path)
            case .none, .missing: ""
            }
        let workload = ProcessWorkload(
            backend: self, run: run,
            configuration: try configuration.prepared(for: context, defaultCommand: command))
        guard workload.configuration.command?.isEmpty == false else { throw workload.missingCommand }
        return workload
    }

    /// Waits until the printed output has been passed on; see `Backend.flushOutput(within:)`.
    @discardableResult
    public func flushOutput(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        for pump in pumps where await !pump.waitUntilIdle(by: deadline) { return false }
        return true
    }

    /// Runs slow work on a thread of its own.
    func offThread(_ work: @escaping @Sendable () -> Void) async {
        if await onThread("clean-up", work) == nil { work() }
    }
}
