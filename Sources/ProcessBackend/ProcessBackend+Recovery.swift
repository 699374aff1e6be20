internal import Glibc
internal import JSON
public import Worker

// What earlier processes of the worker have left.
extension ProcessBackend {
    /// Watches a process that an earlier worker has started, and goes on copying what it prints.
    public func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {
        guard let handle = try? ProcessHandle(identifier), let origin = handle.origin else { return }
        // One that is not there any more is found to be so when its run is looked at.
        _ = try? await supervisor.find(
            handle, flowRunID: flowRunID, streamsOutput: origin.streamsOutput, name: flowRunName)
    }

    /// Finds the process by its identifier, or else by the run's private directory: the process makes a mark in it before
    /// its program is loaded, and carries its path in its environment.
    public func remains(
        of job: Job<ProcessConfiguration>, identifier: InfrastructureIdentifier?
    ) async throws -> InfrastructureRemains {
        if let identifier {
            do {
                _ = try await find(identifier, job)
                return .running(identifier)
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
        return .running(handle.identifier)
    }

    private func leader(in directory: RunDirectory) -> ProcessFacts? {
        ProcessFacts.all().first { facts in
            facts.session == facts.pid && !facts.isZombie
                && ProcessFacts.environmentValue(of: facts.pid, Self.directoryVariable) == directory.path
        }
    }

    /// Removes the directories of runs that are over and that no process uses any more, where no other worker could have
    /// made them.
    public func discardRemains(except flowRunIDs: Set<String>) async {
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

    /// The variable that tells a run's process where its private directory is, and us whose a process is.
    static var directoryVariable: String { "PREFECT__WORKER_RUN_DIRECTORY" }

    /// Removes the run's private directory, never a `working_dir`. Does nothing while the process runs. What a run that
    /// nobody watched has left in its session is ended.
    public func cleanUp(_ identifier: InfrastructureIdentifier, job: Job<ProcessConfiguration>) async {
        // The path comes from a ledger: only what this backend makes is ever removed.
        guard let path = identifier.handle["directory"]?.stringValue else { return }
        let directory = RunDirectory(existing: path)
        if let handle = try? ProcessHandle(identifier), let origin = handle.origin {
            let key = SupervisedProcess.Key(pid: handle.pid, startTime: origin.startTime)
            if await !supervisor.knows(key) { await supervisor.endLeftovers(session: handle.pid, of: path) }
            guard await supervisor.forget(key) else { return }
        }
        guard directory.isOurs else { return }
        await offThread { directory.remove() }
    }
}
