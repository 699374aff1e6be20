public import BackendKit
internal import OrderedCollections
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

// Removal of containers that no run uses any more.
extension DockerBackend {
    /// The time limit for the Engine's first answer. The start of the worker waits for that answer.
    private static let firstAnswer = Duration.seconds(10)

    /// Begins to watch infrastructure of an earlier process of the worker.
    public func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {
        let container = ContainerHandle(identifier, engine.endpoint).container
        inUse.add(container)
    }

    /// Removes containers of this worker's runs that have ended. This call also finds out, before any run is claimed,
    /// whether the Engine is available.
    public func removeOrphans(except flowRunIDs: Set<String>) async {
        let kept = inUse.tasks
        marks.removeAll { kept.contains($0) }
        await sweep(except: flowRunIDs)
    }

    /// Removes this worker's containers that nothing uses any more: ended ones that should have been removed, and ones
    /// that were never started. Containers of other workers, and those of these runs, are not touched.
    func sweep(except flowRunIDs: Set<String>) async {
        let owned = "\(ContainerRequest.Marks.ownerLabel)=\(owner)"
        do {
            try await engine.version(fresh: true, within: Self.firstAnswer)
            let found = try await engine.list(
                labels: [owned], statuses: ["created", "exited", "dead"], within: Self.firstAnswer)
            watch.source.note(nil)
            let now = Timestamp.now.microseconds / 1_000_000
            for container in found
            where !inUse.contains(container.id, claimID: container.labels[ContainerRequest.Marks.claimLabel] ?? "")
                && !flowRunIDs.contains(container.labels[ContainerSource.label] ?? "")
                && Self.isLeft(container, now: now)
            {
                try await engine.remove(container.id, force: false)
            }
        } catch is CancellationError {
        } catch {
            if (error as? EngineError)?.isTransient == true { watch.source.note(error) }
        }
    }

    /// Whether a container that no run uses is to be removed.
    static func isLeft(_ container: ListedContainer, now: Int) -> Bool {
        switch container.status {
        case "created": now - container.created > OrphanSweep.grace.components.seconds
        case "exited", "dead": container.labels[ContainerRequest.Marks.removalLabel] == "true"
        default: false
        }
    }
}
