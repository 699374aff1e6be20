internal import BackendKit
internal import Glibc
internal import JobTemplates
internal import OrderedCollections
internal import PrefectConcurrency
internal import PrefectFiles
internal import PrefectJSON

/// The process of one flow run.
final class ProcessWorkload: FlowHookRunner {
    let backend: ProcessBackend
    let run: RunContext
    let configuration: ProcessConfiguration

    init(backend: ProcessBackend, run: RunContext, configuration: ProcessConfiguration) {
        self.backend = backend
        self.run = run
        self.configuration = configuration
    }

    var description: JSONValue { configuration.json }
    var runsFlowEngine: Bool { configuration.runsFlowEngine }
    var streamsOutput: Bool { configuration.streamsOutput }
    var afterStart: any Workload {
        ProcessWorkload(backend: backend, run: run, configuration: configuration.afterStart)
    }

    /// Starts the run's process. A job that cannot run as configured is refused with one line that names the problem.
    /// The exit code is 127 for a command that is not found, and 126 for a command that cannot be executed.
    func start() async throws -> InfrastructureIdentifier {
        do {
            return try await start(mayBeWarm: configuration.runsFlowEngine)
        } catch is NeverStarted {
            return try await start(mayBeWarm: false)
        }
    }

    /// The zygote ended before it made the run's process, and now it cannot make it any more.
    private struct NeverStarted: Error {}

    private func start(mayBeWarm: Bool) async throws -> InfrastructureIdentifier {
        var words = try commandWords()
        var environment = Dictionary(configuration.launchEnvironment.map { ($0.key, $0.value) }) { $1 }
        try Launcher.validate(environment)
        let workingDirectory = try configuredWorkingDirectory()
        let directory = try RunDirectory.created(
            under: backend.runDirectories, flowRunID: run.flowRunID, maker: backend.tag)
        var control: (port: UInt16, token: String)?
        do {
            let place = workingDirectory ?? directory.work
            let executable = try ExecutableLookup.resolve(words[0], path: environment["PATH"], directory: place)
            if configuration.runsFlowEngine {
                let program = try directory.write(EngineScript.fileName, Array(EngineScript.source.utf8))
                words = [words[0], program] + EngineScript.arguments
            }
            environment[ProcessBackend.directoryVariable] = directory.path
            // The worker sets Cancelled and runs these hooks, even when the process cannot.
            environment["PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS"] = "false"
            // If a flow started the worker, these variables refer to the worker's own parent.
            environment["PREFECT__CONTROL_PORT"] = nil
            environment["PREFECT__CONTROL_TOKEN"] = nil
            control = await backend.supervisor.makeControlToken()
            if let control {
                environment["PREFECT__CONTROL_PORT"] = String(control.port)
                environment["PREFECT__CONTROL_TOKEN"] = control.token
            }
            let streams = configuration.streamsOutput
            let child = try await child(
                Launcher.Request(
                    executable: executable, arguments: words, environment: environment, directory: place,
                    output: streams ? directory.createOutput(OutputNames.flow.output) : nil,
                    errors: directory.createOutput(OutputNames.flow.errors), mark: directory.started),
                in: directory, mayBeWarm: mayBeWarm)
            try await backend.supervisor.supervise(
                child, marks: SupervisedProcess.Marks(directory: directory.path, flowRunID: run.flowRunID),
                directory: directory, streams: .flow, streamsOutput: streams, name: run.flowRunName,
                controlToken: control?.token)
            return ProcessHandle(
                pid: child.pid, startTime: child.startTime, directory: directory.path,
                workingDirectory: workingDirectory, streamsOutput: streams
            ).identifier
        } catch {
            if let control { await backend.supervisor.forgetControl(control.token) }
            directory.remove()
            throw error
        }
    }

    private func child(
        _ request: Launcher.Request, in directory: RunDirectory, mayBeWarm: Bool
    ) async throws -> LaunchedChild {
        switch mayBeWarm ? await backend.zygotes.launch(request) : .cold {
        case .warm(let child): return child
        case .cold: return try Launcher.spawn(request)
        case .unknown:
            guard directory.settleWhetherStarted() else { throw NeverStarted() }
            guard let leader = leader(in: directory) else {
                throw InfrastructureError(.unavailable, "The run's process ended before the worker could watch it")
            }
            return try Launcher.child(leader.pid)
        }
    }

    /// Waits until the process has ended and its process group is empty. Remaining processes of the group get SIGTERM,
    /// and half a second later SIGKILL. A daemon with its own session continues to run.
    ///
    /// For a process that an earlier worker started, the exit code is known from Linux 6.15 on.
    func wait(for identifier: InfrastructureIdentifier) async throws
        -> ExitStatus
    {
        // The task of the wait may wait for long.
        let end = try await inChildTask { try await self.end(of: identifier) }
        await end.wait { $0 != nil }
        // Without a status the task was cancelled.
        guard let status = end.value else { throw CancellationError() }
        return status
    }

    private func end(of identifier: InfrastructureIdentifier) async throws -> ObservedValue<ExitStatus?> {
        guard let end = await backend.supervisor.end(of: try await find(identifier)) else {
            throw InfrastructureError(.notFound, "Process \(identifier) does not exist any more")
        }
        return end
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
    func stop(
        _ identifier: InfrastructureIdentifier, grace: Duration, reason: StopReason
    ) async throws {
        let key = try await find(identifier)
        try await backend.supervisor.stop(key, grace: grace, reason: reason)
    }

    // MARK: - Parts

    func find(_ identifier: InfrastructureIdentifier) async throws
        -> SupervisedProcess.Key
    {
        try await backend.supervisor.find(
            ProcessHandle(identifier), flowRunID: run.flowRunID, streamsOutput: configuration.streamsOutput,
            name: run.flowRunName)
    }

    func commandWords() throws(InfrastructureError) -> [String] {
        guard let command = configuration.command, !command.isEmpty else { throw missingCommand }
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

    private func configuredWorkingDirectory() throws(InfrastructureError) -> String? {
        guard var configured = configuration.workingDirectory else { return nil }
        // As in the Python worker, the empty path stands for the worker's own working directory.
        if configured.isEmpty { configured = "." }
        guard !configured.utf8.contains(0) else {
            throw InfrastructureError(.refused, "The job's working_dir contains a NUL character; correct or omit it")
        }
        let path = absolutePath(
            configured, home: configuration.launchEnvironment["HOME"] ?? backend.options.environment["HOME"])
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

    var missingCommand: InfrastructureError {
        if case .missing(let message) = backend.interpreter {
            return InfrastructureError(.refused, message, exitCode: 127)
        }
        return InfrastructureError(
            .refused,
            "The job has no command and the worker has no Python interpreter; set the job variable 'command'"
        )
    }
}
