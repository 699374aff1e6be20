internal import Concurrency
internal import Files
internal import Glibc
public import JSON
public import JobTemplates
internal import OrderedCollections
public import Worker

/// Runs flow runs as processes on the worker's own host, for work pools of the type `process`.
///
/// A run's process leads its own session and inherits only its environment. It writes its output into files of its
/// private directory. So it continues to run when the worker ends, and the next worker finds it again. One thread
/// watches all runs.
///
/// The identifier is the pid. Its handle also states when and where the process started, so that a reused pid is never
/// taken for the run.
public final class ProcessBackend: InfrastructureBackend {
    /// The options of a process backend.
    public struct Options: Sendable {
        /// The Python interpreter for jobs without a command: a path, or a name on the worker's PATH. `none` stands for
        /// no interpreter, `nil` for the first of `python` and `python3` on the PATH.
        public var interpreter: String?
        /// The worker's own environment.
        public var environment: [String: String]
        /// The parent of the private directories of runs; `nil` for `$TMPDIR`, or else `/tmp`.
        public var runDirectories: String?
        /// Whether only this worker makes directories there, so that it can remove those of finished runs.
        public var ownsRunDirectories: Bool
        /// The destination of the standard output of runs.
        public var standardOutput: any OutputSink
        /// The destination of the standard error of runs.
        public var standardError: any OutputSink
        /// The time limit for all hooks of a flow together.
        public var hookTimeLimit: Duration
        /// The time limit for the check whether the interpreter has Prefect.
        public var checkTimeLimit: Duration
        /// The time limit for the answer of a run's process to a request to cancel. The process gets SIGTERM even
        /// without an answer.
        var cancelPatience = Duration.seconds(1)

        /// Makes options with the worker's own output as sinks.
        public init(
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

    public static let workerType = "process"

    public static let inheritsEnvironment = true

    public static var defaultBaseJobTemplate: BaseJobTemplate { DefaultTemplates.process() }

    let options: Options
    let interpreter: Interpreter
    let runDirectories: String
    let supervisor: ProcessSupervisor
    /// The tag in the names of the directories that this backend makes. Directories without it belong to an earlier
    /// worker.
    let tag: String
    private let loop: EventLoop
    private let pumps: [OutputPump]

    /// Makes a backend and starts its threads. Throws `InfrastructureError` of the kind `unavailable` when the system
    /// provides no descriptor or thread.
    public init(options: Options) throws(InfrastructureError) {
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
    }

    deinit {
        loop.stop()
        for pump in pumps { pump.stop() }
    }

    public func configuration(rendered: JSONValue) throws -> ProcessConfiguration {
        try ProcessConfiguration(rendered: rendered)
    }

    public func prepare(_ configuration: ProcessConfiguration, for context: PreparationContext) throws
        -> ProcessConfiguration
    {
        let command =
            switch interpreter {
            case .python(let path): processEngineCommand(interpreter: path)
            case .none, .missing: ""
            }
        let prepared = try configuration.prepared(for: context, defaultCommand: command)
        guard prepared.command?.isEmpty == false else { throw missingCommand }
        return prepared
    }

    private var missingCommand: InfrastructureError {
        if case .missing(let message) = interpreter { return InfrastructureError(.refused, message, exitCode: 127) }
        return InfrastructureError(
            .refused, "The job has no command and the worker has no Python interpreter; set the job variable 'command'"
        )
    }

    /// Starts the run's process. A job that cannot run as configured is refused with one line that names the problem.
    /// The exit code is 127 for a command that is not found, and 126 for a command that cannot be executed.
    public func start(_ job: Job<ProcessConfiguration>) async throws -> InfrastructureIdentifier {
        var words = try commandWords(of: job)
        var environment = Dictionary(job.configuration.launchEnvironment.map { ($0.key, $0.value) }) { $1 }
        try Launcher.validate(environment)
        let workingDirectory = try configuredWorkingDirectory(of: job)
        let directory = try RunDirectory.created(
            under: runDirectories, flowRunID: job.flowRunID, maker: tag)
        var control: (port: UInt16, token: String)?
        do {
            let place = workingDirectory ?? directory.work
            let executable = try ExecutableLookup.resolve(words[0], path: environment["PATH"], directory: place)
            if job.configuration.runsFlowEngine {
                let program = try directory.write(EngineScript.fileName, Array(EngineScript.source.utf8))
                words = [words[0], program] + EngineScript.arguments
            }
            environment[Self.directoryVariable] = directory.path
            // The worker sets Cancelled and runs these hooks, even when the process cannot.
            environment["PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"] = "false"
            // If a flow started the worker, these variables refer to the worker's own parent.
            environment["PREFECT__CONTROL_PORT"] = nil
            environment["PREFECT__CONTROL_TOKEN"] = nil
            control = await supervisor.makeControlToken()
            if let control {
                environment["PREFECT__CONTROL_PORT"] = String(control.port)
                environment["PREFECT__CONTROL_TOKEN"] = control.token
            }
            let streams = job.configuration.streamsOutput
            let child = try Launcher.spawn(
                Launcher.Request(
                    executable: executable, arguments: words, environment: environment, directory: place,
                    output: streams ? directory.createOutput(OutputNames.flow.output) : nil,
                    errors: directory.createOutput(OutputNames.flow.errors), mark: directory.started))
            try await supervisor.supervise(
                child, marks: SupervisedProcess.Marks(directory: directory.path, flowRunID: job.flowRunID),
                directory: directory, streams: .flow, streamsOutput: streams, name: job.flowRunName,
                controlToken: control?.token)
            return ProcessHandle(
                pid: child.pid, startTime: child.startTime, directory: directory.path,
                workingDirectory: workingDirectory, streamsOutput: streams
            ).identifier
        } catch {
            if let control { await supervisor.forgetControl(control.token) }
            directory.remove()
            throw error
        }
    }

    /// Waits until the process has ended and its process group is empty. Remaining processes of the group get SIGTERM,
    /// and half a second later SIGKILL. A daemon with its own session continues to run.
    ///
    /// For a process that an earlier worker started, the exit code is known from Linux 6.15 on.
    public func wait(for identifier: InfrastructureIdentifier, job: Job<ProcessConfiguration>) async throws
        -> ExitStatus
    {
        let key = try await find(identifier, job)
        guard let status = try await supervisor.waitForEnd(key) else {
            throw InfrastructureError(.notFound, "Process \(identifier) does not exist any more")
        }
        return status
    }

    /// Ends the run's process and everything that belongs to the run.
    ///
    /// A run that is cancelled first gets a request to cancel. Then the process group gets SIGTERM. Once `grace` has
    /// passed since then, or the leader has ended, the remaining processes are ended, and finally killed.
    ///
    /// These processes belong to the run:
    /// - the process group and the session
    /// - the descendants that the leader had when the stop began
    /// - all processes with the run's environment
    ///
    /// An orphan that is in none of these sets, because it has an environment of its own, cannot be found.
    public func stop(
        _ identifier: InfrastructureIdentifier, job: Job<ProcessConfiguration>, grace: Duration, reason: StopReason
    ) async throws {
        let key = try await find(identifier, job)
        try await supervisor.stop(key, grace: grace, reason: reason)
    }

    @discardableResult
    public func flushOutput(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        for pump in pumps where await !pump.waitUntilIdle(by: deadline) { return false }
        return true
    }

    // MARK: - Parts

    func find(_ identifier: InfrastructureIdentifier, _ job: Job<ProcessConfiguration>) async throws
        -> SupervisedProcess.Key
    {
        try await supervisor.find(
            ProcessHandle(identifier), flowRunID: job.flowRunID, streamsOutput: job.configuration.streamsOutput,
            name: job.flowRunName)
    }

    func commandWords(of job: Job<ProcessConfiguration>) throws(InfrastructureError) -> [String] {
        guard let command = job.configuration.command, !command.isEmpty else { throw missingCommand }
        guard !command.utf8.contains(0) else {
            throw InfrastructureError(.refused, "The job's command holds a NUL character; correct the command")
        }
        let words: [String]
        do {
            words = try ShellWords.split(command)
        } catch {
            let problem =
                switch error {
                case .noClosingQuotation: "a quotation mark is not closed"
                case .noEscapedCharacter: "it ends in a backslash"
                }
            throw InfrastructureError(
                .refused, "The job's command cannot be split into words: \(problem); correct the command")
        }
        guard words.first?.isEmpty == false else {
            throw InfrastructureError(.refused, "The job's command names no program; correct the command")
        }
        return words
    }

    private func configuredWorkingDirectory(of job: Job<ProcessConfiguration>) throws(InfrastructureError) -> String? {
        guard var configured = job.configuration.workingDirectory else { return nil }
        // As in the Python worker, the empty path stands for the worker's own working directory.
        if configured.isEmpty { configured = "." }
        guard !configured.utf8.contains(0) else {
            throw InfrastructureError(.refused, "The job's working_dir contains a NUL character; correct or omit it")
        }
        let path = absolutePath(
            configured, home: job.configuration.launchEnvironment["HOME"] ?? options.environment["HOME"])
        guard fileStatus(path) != nil else {
            let problem = errno == EACCES ? "cannot be reached by the worker" : "does not exist"
            throw InfrastructureError(
                .refused,
                "The working directory '\(path)' \(problem); create it on the worker's host or change working_dir")
        }
        guard isDirectory(path) else {
            throw InfrastructureError(
                .refused, "The working directory '\(path)' is not a directory; change the job's working_dir")
        }
        guard access(path, X_OK) == 0 else {
            throw InfrastructureError(
                .refused, "The working directory '\(path)' is not accessible to the worker; change its permissions")
        }
        return path
    }

    /// Runs slow work on a thread of its own.
    func offThread(_ work: @escaping @Sendable () -> Void) async {
        if await onThread("clean-up", work) == nil { work() }
    }
}
