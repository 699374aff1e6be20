internal import FoundationEssentials
internal import JSON
internal import OrderedCollections
internal import RESTClient
internal import Synchronization
public import Worker

// Recovery of containers that earlier processes created, and removal of containers that no run uses any more.
extension DockerBackend {
    /// Seconds for which a created container may wait for its start before it counts as orphaned.
    private static let creationTime = 600
    /// The time limit for the Engine's first answer. The start of the worker waits for that answer.
    private static let firstAnswer = Duration.seconds(10)

    public func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {
        let container = ContainerHandle(identifier, engine.endpoint).container
        inHand.withLock { _ = $0.containers.insert(container) }
    }

    /// Finds the container by its identifier, or else by the label with the job's claim. A container found by its
    /// label that was created but not started is removed. A container that has ended still counts as running: it
    /// exists, with its exit code, until it is removed.
    public func recover(
        _ job: Job<DockerConfiguration>, identifier: InfrastructureIdentifier?
    ) async throws -> RecoveredInfrastructure {
        do {
            if let identifier {
                let handle = ContainerHandle(identifier, engine.endpoint)
                do {
                    _ = try await engine.inspect(handle.container)
                    return .present(identifier)
                } catch let error as EngineError where error.isNotFound {
                    return handle.isHere ? .ended(identifier) : .outOfReach
                }
            }
            var found: InfrastructureIdentifier?
            for container in try await engine.list(labels: ["\(ContainerRequest.Marks.claimLabel)=\(job.claimID)"]) {
                if container.status == "created", try await removeUnstarted(container.id) { continue }
                found = ContainerHandle.identifier(of: container.id, on: engine.endpoint)
            }
            return found.map(RecoveredInfrastructure.present) ?? .neverStarted
        } catch let error as EngineError {
            throw InfrastructureError(.unavailable, "The container could not be looked up: \(error.message)")
        }
    }

    /// Removes a container and returns whether it did. A container that has been started after all is kept, because
    /// its start request may have been on its way.
    private func removeUnstarted(_ container: String) async throws -> Bool {
        do {
            try await engine.remove(container, force: false)
            return true
        } catch let error as EngineError where error.status == 409 {
            return false
        }
    }

    /// Removes containers of this worker's runs that have ended. This call also finds out, before any run is claimed,
    /// whether the Engine is available.
    public func removeOrphans(except flowRunIDs: Set<String>) async {
        let kept = inHand.withLock { $0.containers }
        marks.removeAll { kept.contains($0) }
        await sweep(except: flowRunIDs)
    }

    /// Removes the container if the job requests that.
    public func cleanUp(_ identifier: InfrastructureIdentifier, job: Job<DockerConfiguration>) async {
        let container = ContainerHandle(identifier, engine.endpoint).container
        // The next sweep removes a container that cannot be removed now.
        if job.configuration.removesContainer { try? await engine.remove(container, force: false) }
        marks.remove(container)
        inHand.withLock { state in
            state.containers.remove(container)
            state.started.remove(container)
        }
    }

    /// Removes this worker's containers that nothing uses any more: ended ones that should have been removed, and ones
    /// that were never started. Containers of other workers, and those of these runs, are not touched.
    func sweep(except flowRunIDs: Set<String>) async {
        let owned = "\(ContainerRequest.Marks.ownerLabel)=\(owner)"
        do {
            try await engine.version(fresh: true, within: Self.firstAnswer)
            let found = try await engine.list(
                labels: [owned], statuses: ["created", "exited", "dead"], within: Self.firstAnswer)
            watcher.note(nil)
            let held = inHand.withLock { $0 }
            let now = Timestamp.now.microseconds / 1_000_000
            for container in found
            where !held.containers.contains(container.id)
                && !held.claims.contains(container.labels[ContainerRequest.Marks.claimLabel] ?? "")
                && !flowRunIDs.contains(container.labels[EngineWatcher.label] ?? "")
                && Self.isLeft(container, now: now)
            {
                try await engine.remove(container.id, force: false)
            }
        } catch is CancellationError {
        } catch {
            if (error as? EngineError)?.isTransient == true { watcher.note(error) }
        }
    }

    /// Whether a container that no run uses is to be removed.
    static func isLeft(_ container: ListedContainer, now: Int) -> Bool {
        switch container.status {
        case "created": now - container.created > creationTime
        case "exited", "dead": container.labels[ContainerRequest.Marks.removalLabel] == "true"
        default: false
        }
    }
}
