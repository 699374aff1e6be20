public import BackendKit
internal import Glibc
internal import PrefectJSON

// Infrastructure that earlier processes of the worker created.
extension ProcessBackend {
    /// Watches a process that an earlier worker started, and continues to copy its output.
    public func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {
        guard let handle = try? ProcessHandle(identifier), let origin = handle.origin else { return }
        // An error is ignored: the recovery of the run finds out later that the process no longer exists.
        _ = try? await supervisor.find(
            handle, flowRunID: flowRunID, streamsOutput: origin.streamsOutput, name: flowRunName)
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
}
