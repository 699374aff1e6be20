internal import BackendKit
internal import OrderedCollections
internal import PrefectFiles
internal import PrefectJSON

extension ProcessWorkload {
    /// Runs each of the flow's hooks once, in a separate Python process. They run in the workspace of the run, or in a
    /// new directory for a run that was never started. A failure is written to the run's log and does not keep the
    /// other hooks from running. A flow without such hooks is skipped without a message.
    func runHooks(
        _ kind: FlowHook, state: JSONValue, of identifier: InfrastructureIdentifier?
    ) async {
        guard let python = hookInterpreter(kind) else { return }
        let origin = identifier.flatMap { try? ProcessHandle($0) }?.origin
        let existing = origin.map { RunDirectory(existing: $0.directory) }.flatMap { $0.exists ? $0 : nil }
        guard existing != nil || identifier == nil || !configuration.runsFlowEngine else {
            HookScript.reportMissingWorkspace(kind, for: run)
            return
        }
        var temporary: RunDirectory?
        do {
            let directory: RunDirectory
            if let existing {
                directory = existing
            } else {
                directory = try RunDirectory.created(
                    under: backend.runDirectories, flowRunID: run.flowRunID, maker: backend.tag)
                temporary = directory
            }
            let workingDirectory = origin?.workingDirectory.flatMap { isDirectory($0) ? $0 : nil } ?? directory.work
            let status = try await runHookScript(
                kind, state: state, python: python, in: directory, workingDirectory: workingDirectory,
                hasWorkspace: existing != nil && configuration.runsFlowEngine)
            switch status.code {
            case 0?: break
            case HookScript.noWorkspace?: HookScript.reportMissingWorkspace(kind, for: run)
            default:
                let detail = status.lastOutput?.split(separator: "\n").last.map { ": \($0)" } ?? ""
                run.reporter.log(.warning, "The flow's on_\(kind.rawValue) hooks could not be run\(detail)")
            }
        } catch is CancellationError {
            run.reporter.log(.warning, "The flow's on_\(kind.rawValue) hooks were interrupted")
        } catch {
            run.reporter.log(.warning, "The flow's on_\(kind.rawValue) hooks could not be run: \(error)")
        }
        if let temporary { await backend.offThread { temporary.remove() } }
    }

    private func runHookScript(
        _ kind: FlowHook, state: JSONValue, python: String, in directory: RunDirectory, workingDirectory: String,
        hasWorkspace: Bool
    ) async throws -> ExitStatus {
        guard let unique = randomHexadecimal(bytes: 4) else {
            throw InfrastructureError(.unavailable, "The system's random generator failed")
        }
        let script = try directory.write("hooks-\(unique).py", Array(HookScript.source.utf8))
        let stateFile = try directory.write("state-\(unique).json", state.serializedBytes())
        let manifest = hasWorkspace ? ["\(directory.path)/\(EngineScript.manifestName)"] : []
        let names = OutputNames(output: "hooks-\(unique)-stdout", errors: "hooks-\(unique)-stderr")
        var environment = Dictionary(configuration.launchEnvironment.map { ($0.key, $0.value) }) { $1 }
        environment["PREFECT__CONTROL_PORT"] = nil
        environment["PREFECT__CONTROL_TOKEN"] = nil
        environment["PREFECT__FLOW_RUN_ID"] = run.flowRunID
        environment[ProcessBackend.directoryVariable] = directory.path
        let marks = SupervisedProcess.Marks(variable: "PREFECT__WORKER_HOOKS", value: unique)
        environment[marks.variable] = marks.value
        try Launcher.validate(environment)
        let streams = configuration.streamsOutput
        let child = try Launcher.spawn(
            Launcher.Request(
                executable: try ExecutableLookup.resolve(
                    python, path: environment["PATH"], directory: workingDirectory),
                arguments: [python, script, kind.rawValue, stateFile] + manifest, environment: environment,
                directory: workingDirectory, output: streams ? directory.createOutput(names.output) : nil,
                errors: directory.createOutput(names.errors)))
        let key = SupervisedProcess.Key(pid: child.pid, startTime: child.startTime)
        await backend.supervisor.setHelper(child.pid, isRunning: true)
        do {
            try await backend.supervisor.supervise(
                child, marks: marks, directory: directory, streams: names, streamsOutput: streams,
                name: run.flowRunName, controlToken: nil)
            var status = try await backend.supervisor.waitForEnd(key, until: .now + backend.options.hookTimeLimit)
            if status == nil {
                try await backend.supervisor.stop(key, grace: .seconds(2), reason: .shutdown)
                status = ExitStatus(code: nil, lastOutput: "they took longer than \(backend.options.hookTimeLimit)")
            }
            await endHelper(key)
            return status ?? ExitStatus(code: nil)
        } catch {
            // In a cancelled task, this call sends SIGTERM and returns.
            try? await backend.supervisor.stop(key, grace: .zero, reason: .shutdown)
            await endHelper(key)
            throw error
        }
    }

    private func endHelper(_ key: SupervisedProcess.Key) async {
        _ = await backend.supervisor.forget(key)
        await backend.supervisor.setHelper(key.pid, isRunning: false)
    }

    private func hookInterpreter(_ kind: FlowHook) -> String? {
        var own: String?
        if case .python(let path) = backend.interpreter { own = path }
        return HookScript.interpreter(
            for: kind, of: run, words: (try? commandWords()) ?? [], otherwise: own)
    }
}
