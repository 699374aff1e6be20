internal import BackendKit
internal import Glibc
internal import Synchronization
internal import Systemd

// Removal of what the units of earlier runs left behind.
extension SystemdBackend {
    /// Removes the directories of units that have ended. This also finds out, before the first claim, whether a manager
    /// is available.
    public func removeOrphans(except flowRunIDs: Set<String>) async {
        // The recovery of these runs decides about them later, however long that takes.
        inUse.protect(flowRunIDs: flowRunIDs)
        for _ in 0..<Self.firstAttempts {
            if await sweep() { return }
            guard (try? await Task.sleep(for: .milliseconds(500))) != nil else { return }
        }
    }

    /// Removes the directories of units that have ended and are not in use. Returns `false` when the manager does not
    /// list the units.
    @discardableResult
    func sweep() async -> Bool {
        do {
            let units = try await manager.units(named: UnitSource.pattern)
            watch.source.note(nil)
            for unit in UnitDirectory.all(in: root)
            where !inUse.contains(unit.name, flowRunID: unit.flowRunID)
                && units[unit.name]?.hasEnded ?? true
            {
                await removeTraces(of: unit)
            }
            return true
        } catch {
            if error.isTransient { watch.source.note(error.message) }
            return !error.isTransient
        }
    }

    /// The number of requests to the manager before the worker begins without its answer.
    private static var firstAttempts: Int { 4 }

    /// Removes the unit's directory, and its private directory if the unit did not remove that. The private directory
    /// may belong to another user, so another unit removes it. If that unit cannot be started, the unit's directory
    /// stays for the next sweep.
    func removeTraces(of unit: UnitName) async {
        let directory = UnitDirectory(of: unit, in: root)
        if directory.keepsWorkspace {
            do {
                try await manager.startTransientUnit(
                    unit.removal.name, properties: TransientUnit.removal(of: unit))
            } catch {
                guard error.name == UnitManager.unitExists else { return }
            }
        }
        directory.remove()
        // A unit whose sandbox has the directory mounted cannot remove the empty directory itself, so the worker does.
        if kind == .system { rmdir("/var/cache/\(TransientUnit.identifier)/\(unit.stem)") }
    }
}
