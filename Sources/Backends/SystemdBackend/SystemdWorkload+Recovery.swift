internal import BackendKit
internal import Glibc
internal import Synchronization
internal import Systemd

// Infrastructure that earlier processes of the worker created.
extension SystemdWorkload {
    /// Finds the unit by its identifier, or else by the job's claim. A unit that has ended counts as existing until its
    /// directory, which records how it ended, is removed. If the unit was not started, it can no longer start after
    /// this call.
    func recover(_ identifier: InfrastructureIdentifier?) async throws -> RecoveredInfrastructure {
        let unit: UnitName
        if let identifier {
            guard let handle = try? UnitHandle(identifier) else { return .outOfReach }
            unit = handle.unit
        } else {
            unit = UnitName(flowRunID: run.flowRunID, claimID: run.claimID)
        }
        let found = UnitHandle.identifier(of: unit)
        let directory = UnitDirectory(of: unit, in: backend.root)
        if try await isThere(unit, directory) { return .present(found) }
        if identifier != nil { return .ended(found) }
        directory.forbidStart()
        if try await isThere(unit, directory) { return .present(found) }
        directory.remove()
        return .neverStarted
    }

    private func isThere(_ unit: UnitName, _ directory: UnitDirectory) async throws -> Bool {
        do {
            if let status = try await backend.manager.units(named: unit.name)[unit.name], !status.hasEnded {
                return true
            }
        } catch {
            throw InfrastructureError(.unavailable, "The state of the run's unit cannot be read: \(error.message)")
        }
        return directory.hasEnd
    }

    /// Removes the unit's workspace and directory, and the directories of its hooks.
    func cleanUp(_ identifier: InfrastructureIdentifier) async {
        guard let unit = try? UnitHandle(identifier).unit else { return }
        for unit in [unit, unit.hooks(.cancellation), unit.hooks(.crashed)] { await backend.removeTraces(of: unit) }
        backend.inUse.remove(unit.name)
    }
}
