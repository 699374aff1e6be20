internal import BackendKit
internal import PrefectREST
internal import Synchronization

// Recovery of a container that an earlier process created, and its removal after the run.
extension DockerWorkload {
    /// Finds the container by its identifier, or else by the label with the job's claim. A container found by its
    /// label that was created but not started is removed. A container that has ended still counts as running: it
    /// exists, with its exit code, until it is removed.
    func recover(_ identifier: InfrastructureIdentifier?) async throws -> RecoveredInfrastructure {
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
            for container in try await engine.list(labels: ["\(ContainerRequest.Marks.claimLabel)=\(run.claimID)"]) {
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

    /// Removes the container if the job requests that.
    func cleanUp(_ identifier: InfrastructureIdentifier) async {
        let container = ContainerHandle(identifier, engine.endpoint).container
        // The next sweep removes a container that cannot be removed now.
        if configuration.removesContainer { try? await engine.remove(container, force: false) }
        backend.marks.remove(container)
        backend.inUse.remove(container)
    }
}
