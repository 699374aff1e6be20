internal import Glibc
internal import JSON
public import Worker

// Infrastructure that earlier processes of the worker created.
extension ProcessBackend {
    /// Watches a process that an earlier worker started, and continues to copy its output.
    public func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {
        guard let handle = try? ProcessHandle(identifier), let origin = handle.origin else { return }
        // An error is ignored: the recovery of the run finds out later that the process no longer exists.
        _ = try? await supervisor.find(
            handle, flowRunID: flowRunID, streamsOutput: origin.streamsOutput, name: flowRunName)
    }

    /// Finds the process by its identifier, or else by the run's private directory. The process creates a mark in that
    /// directory before it loads its program, and its environment contains the directory's path.
    public func recover(
        _ job: Job<ProcessConfiguration>, identifier: InfrastructureIdentifier?
    ) async throws -> RecoveredInfrastructure {
        if let identifier {
            do {
                _ = try await find(identifier, job)
                return .present(identifier)
            } catch let error as InfrastructureError where error.kind == .notFound {
                return .ended(identifier)
            } catch let error as InfrastructureError where error.kind == .notReachable {
                return .outOfReach
            }
        }
        let directories = RunDirectory.all(under: runDirectories, ofRun: job.flowRunID)
        guard let directory = directories.filter({ $0.settleWhetherStarted() }).last else { return .neverStarted }
        guard let leader = leader(in: directory) else {
            await supervisor.copyRest(
                in: directory, streamsOutput: job.configuration.streamsOutput, name: job.flowRunName)
            return .ended(InfrastructureIdentifier(rawValue: "unknown", handle: ["directory": .string(directory.path)]))
        }
        let handle = ProcessHandle(
            pid: leader.pid, startTime: leader.startTime, directory: directory.path,
            workingDirectory: job.configuration.workingDirectory, streamsOutput: job.configuration.streamsOutput)
        _ = try await find(handle.identifier, job)
        return .present(handle.identifier)
    }

    private func leader(in directory: RunDirectory) -> ProcessFacts? {
        ProcessFacts.all().first { facts in
            facts.session == facts.pid && !facts.isZombie
                && ProcessFacts.environmentValue(of: facts.pid, Self.directoryVariable) == directory.path
        }
    }

    /// Removes the directories of finished runs that no process uses any more. Does nothing if another worker could
    /// have made directories in the same place.
    public func removeOrphans(except flowRunIDs: Set<String>) async {
        guard options.ownsRunDirectories else { return }
        let left = RunDirectory.all(under: runDirectories).filter { directory in
            directory.flowRunID.map { !flowRunIDs.contains($0) } == true && !directory.isMade(by: tag)
        }
        guard !left.isEmpty else { return }
        let used = Set(
            ProcessFacts.all().compactMap { ProcessFacts.environmentValue(of: $0.pid, Self.directoryVariable) })
        await offThread {
            for directory in left where !used.contains(directory.path) { directory.remove() }
        }
    }

    /// The environment variable with the path of the run's private directory. It also identifies the processes of a
    /// run.
    static var directoryVariable: String { "PREFECT__WORKER_RUN_DIRECTORY" }

    /// Removes the run's private directory, but never a `working_dir`. Does nothing while the process runs. For a run
    /// that is not watched, the remaining processes of its session are killed.
    public func cleanUp(_ identifier: InfrastructureIdentifier, job: Job<ProcessConfiguration>) async {
        // The path comes from a ledger, so only directories that this backend makes are ever removed.
        guard let path = identifier.handle["directory"]?.stringValue else { return }
        let directory = RunDirectory(existing: path)
        if let handle = try? ProcessHandle(identifier), let origin = handle.origin {
            let key = SupervisedProcess.Key(pid: handle.pid, startTime: origin.startTime)
            if await !supervisor.knows(key) { await supervisor.endLeftovers(session: handle.pid, of: path) }
            guard await supervisor.forget(key) else { return }
        }
        await supervisor.forgetOutput(in: directory)
        guard directory.isOurs else { return }
        await offThread { directory.remove() }
    }
}
