internal import Files
public import JSON
internal import OrderedCollections
public import Worker

extension ProcessBackend {
    /// Runs each of the flow's hooks once, in a separate Python process. They run in the workspace of the run, or in a
    /// new directory for a run that was never started. A failure is written to the run's log and does not keep the
    /// other hooks from running. A flow without such hooks is skipped without a message.
    public func runHooks(
        _ kind: FlowHook, state: JSONValue, of identifier: InfrastructureIdentifier?, job: Job<ProcessConfiguration>
    ) async {
        guard let python = hookInterpreter(kind, for: job) else { return }
        let origin = identifier.flatMap { try? ProcessHandle($0) }?.origin
        let existing = origin.map { RunDirectory(existing: $0.directory) }.flatMap { $0.exists ? $0 : nil }
        guard existing != nil || identifier == nil || !job.configuration.runsFlowEngine else {
            HookScript.reportMissingWorkspace(kind, of: job)
            return
        }
        var temporary: RunDirectory?
        do {
            let directory: RunDirectory
            if let existing {
                directory = existing
            } else {
                directory = try RunDirectory.created(
                    under: runDirectories, flowRunID: job.flowRunID, maker: tag)
                temporary = directory
            }
            let workingDirectory = origin?.workingDirectory.flatMap { isDirectory($0) ? $0 : nil } ?? directory.work
            let status = try await runHookScript(
                kind, state: state, python: python, in: directory, workingDirectory: workingDirectory,
                hasWorkspace: existing != nil && job.configuration.runsFlowEngine, job: job)
            switch status.code {
            case 0?: break
            case HookScript.noWorkspace?: HookScript.reportMissingWorkspace(kind, of: job)
            default:
                let detail = status.lastOutput?.split(separator: "\n").last.map { ": \($0)" } ?? ""
                job.reporter.log(.warning, "The flow's on_\(kind.rawValue) hooks could not be run\(detail)")
            }
        } catch is CancellationError {
            job.reporter.log(.warning, "The flow's on_\(kind.rawValue) hooks were interrupted")
        } catch {
            job.reporter.log(.warning, "The flow's on_\(kind.rawValue) hooks could not be run: \(error)")
        }
        if let temporary { await offThread { temporary.remove() } }
    }

    private func runHookScript(
        _ kind: FlowHook, state: JSONValue, python: String, in directory: RunDirectory, workingDirectory: String,
        hasWorkspace: Bool, job: Job<ProcessConfiguration>
    ) async throws -> ExitStatus {
        guard let unique = randomHexadecimal(bytes: 4) else {
            throw InfrastructureError(.unavailable, "The system's random generator failed")
        }
        let script = try directory.write("hooks-\(unique).py", Array(HookScript.source.utf8))
        let stateFile = try directory.write("state-\(unique).json", state.serializedBytes())
        let manifest = hasWorkspace ? ["\(directory.path)/\(EngineScript.manifestName)"] : []
        let names = OutputNames(output: "hooks-\(unique)-stdout", errors: "hooks-\(unique)-stderr")
        var environment = Dictionary(job.configuration.launchEnvironment.map { ($0.key, $0.value) }) { $1 }
        environment["PREFECT__CONTROL_PORT"] = nil
        environment["PREFECT__CONTROL_TOKEN"] = nil
        environment["PREFECT__FLOW_RUN_ID"] = job.flowRunID
        environment[Self.directoryVariable] = directory.path
        let marks = SupervisedProcess.Marks(variable: "PREFECT__WORKER_HOOKS", value: unique)
        environment[marks.variable] = marks.value
        try Launcher.validate(environment)
        let streams = job.configuration.streamsOutput
        let child = try Launcher.spawn(
            Launcher.Request(
                executable: try ExecutableLookup.resolve(
                    python, path: environment["PATH"], directory: workingDirectory),
                arguments: [python, script, kind.rawValue, stateFile] + manifest, environment: environment,
                directory: workingDirectory, output: streams ? directory.createOutput(names.output) : nil,
                errors: directory.createOutput(names.errors)))
        let key = SupervisedProcess.Key(pid: child.pid, startTime: child.startTime)
        await supervisor.setHelper(child.pid, isRunning: true)
        do {
            try await supervisor.supervise(
                child, marks: marks, directory: directory, streams: names, streamsOutput: streams,
                name: job.flowRunName, controlToken: nil)
            var status = try await supervisor.waitForEnd(key, until: .now + options.hookTimeLimit)
            if status == nil {
                try await supervisor.stop(key, grace: .seconds(2), reason: .shutdown)
                status = ExitStatus(code: nil, lastOutput: "they took longer than \(options.hookTimeLimit)")
            }
            await endHelper(key)
            return status ?? ExitStatus(code: nil)
        } catch {
            // In a cancelled task, this call sends SIGTERM and returns.
            try? await supervisor.stop(key, grace: .zero, reason: .shutdown)
            await endHelper(key)
            throw error
        }
    }

    private func endHelper(_ key: SupervisedProcess.Key) async {
        _ = await supervisor.forget(key)
        await supervisor.setHelper(key.pid, isRunning: false)
    }

    private func hookInterpreter(_ kind: FlowHook, for job: Job<ProcessConfiguration>) -> String? {
        var own: String?
        if case .python(let path) = interpreter { own = path }
        return HookScript.interpreter(
            for: kind, of: job, words: (try? commandWords(of: job)) ?? [], otherwise: own)
    }
}
