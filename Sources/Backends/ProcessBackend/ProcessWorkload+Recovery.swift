internal import BackendKit
internal import Glibc
internal import PrefectJSON

// A process that an earlier process of the worker started, and the removal of its traces after the run.
extension ProcessWorkload {
    /// Finds the process by its identifier, or else by the run's private directory. The process creates a mark in that
    /// directory before it loads its program, and its environment contains the directory's path.
    func recover(_ identifier: InfrastructureIdentifier?) async throws -> RecoveredInfrastructure {
        if let identifier {
            do {
                _ = try await find(identifier)
                return .present(identifier)
            } catch let error as InfrastructureError where error.kind == .notFound {
                return .ended(identifier)
            } catch let error as InfrastructureError where error.kind == .notReachable {
                return .outOfReach
            }
        }
        let directories = RunDirectory.all(under: backend.runDirectories, ofRun: run.flowRunID)
        guard let directory = directories.filter({ $0.settleWhetherStarted() }).last else { return .neverStarted }
        guard let leader = leader(in: directory) else {
            await backend.supervisor.copyRest(
                in: directory, streamsOutput: configuration.streamsOutput, name: run.flowRunName)
            return .ended(InfrastructureIdentifier(rawValue: "unknown", handle: ["directory": .string(directory.path)]))
        }
        let handle = ProcessHandle(
            pid: leader.pid, startTime: leader.startTime, directory: directory.path,
            workingDirectory: configuration.workingDirectory, streamsOutput: configuration.streamsOutput)
        _ = try await find(handle.identifier)
        return .present(handle.identifier)
    }

    /// The process that leads the run, found by its environment.
    func leader(in directory: RunDirectory) -> ProcessFacts? {
        ProcessFacts.all().first { facts in
            facts.session == facts.pid && !facts.isZombie
                && ProcessFacts.environmentValue(of: facts.pid, ProcessBackend.directoryVariable) == directory.path
        }
    }

    /// Removes the run's private directory, but never a `working_dir`. Does nothing while the process runs. For a run
    /// that is not watched, the remaining processes of its session are killed.
    func cleanUp(_ identifier: InfrastructureIdentifier) async {
        // The path comes from a ledger, so only directories that this backend makes are ever removed.
        guard let path = identifier.handle["directory"]?.stringValue else { return }
        let directory = RunDirectory(existing: path)
        if let handle = try? ProcessHandle(identifier), let origin = handle.origin {
            let key = SupervisedProcess.Key(pid: handle.pid, startTime: origin.startTime)
            if await !backend.supervisor.knows(key) {
                await backend.supervisor.endLeftovers(session: handle.pid, of: path)
            }
            guard await backend.supervisor.forget(key) else { return }
        }
        await backend.supervisor.forgetOutput(in: directory)
        guard directory.isOurs else { return }
        await backend.offThread { directory.remove() }
    }
}
