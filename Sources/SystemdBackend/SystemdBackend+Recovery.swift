internal import Glibc
internal import Synchronization
internal import Systemd
public import Worker

// What earlier processes of the worker have left.
extension SystemdBackend {
    /// Finds the unit by its identifier, or else by the job's claim. One that has ended is there, with how it ended, until its
    /// folder is removed; one that was not started cannot be any more.
    public func remains(
        of job: Job<SystemdConfiguration>, identifier: InfrastructureIdentifier?
    ) async throws -> InfrastructureRemains {
        let unit: UnitName
        if let identifier {
            guard let handle = try? UnitHandle(identifier) else { return .outOfReach }
            unit = handle.unit
        } else {
            unit = UnitName(flowRunID: job.flowRunID, claimID: job.claimID)
        }
        let found = UnitHandle.identifier(of: unit)
        let folder = UnitFolder(of: unit, in: root)
        if try await isThere(unit, folder) { return .running(found) }
        if identifier != nil { return .ended(found) }
        folder.forbidStart()
        if try await isThere(unit, folder) { return .running(found) }
        folder.remove()
        return .neverStarted
    }

    private func isThere(_ unit: UnitName, _ folder: UnitFolder) async throws -> Bool {
        do {
            if let standing = try await manager.units(named: unit.name)[unit.name], !standing.hasEnded { return true }
        } catch {
            throw InfrastructureError(.unavailable, "systemd does not say what is left: \(error.message)")
        }
        return folder.hasEnd
    }

    /// Removes the folders of units that are over. This is also how it is found out, before anything is taken, whether there is
    /// a manager.
    public func discardRemains(except flowRunIDs: Set<String>) async {
        // What becomes of these is found out by and by, however long that takes.
        inHand.withLock { $0.flowRunIDs = flowRunIDs }
        for _ in 0..<Self.firstAttempts {
            if await sweep() { return }
            guard (try? await Task.sleep(for: .milliseconds(500))) != nil else { return }
        }
    }

    /// Removes the folders of units that are over and that nobody has in hand; `false` when the manager does not say which are.
    @discardableResult
    func sweep() async -> Bool {
        do {
            let units = try await manager.units(named: UnitWatcher.pattern)
            watcher.note(nil)
            let held = inHand.withLock { $0 }
            for unit in UnitFolder.all(in: root)
            where !held.units.contains(unit) && !held.flowRunIDs.contains(unit.flowRunID)
                && units[unit.name]?.hasEnded ?? true
            {
                await removeTraces(of: unit)
            }
            return true
        } catch {
            if error.isTransient { watcher.note(error.message) }
            return !error.isTransient
        }
    }

    /// How often the manager is asked before the worker begins without its answer.
    private static var firstAttempts: Int { 4 }

    /// Removes the unit's workspace and folder, and the folders of its hooks.
    public func cleanUp(_ identifier: InfrastructureIdentifier, job: Job<SystemdConfiguration>) async {
        guard let unit = try? UnitHandle(identifier).unit else { return }
        for unit in [unit, unit.hooks(.cancellation), unit.hooks(.crashed)] { await removeTraces(of: unit) }
        inHand.withLock { _ = $0.units.remove(unit) }
    }

    /// Removes the unit's folder, and its private directory where the unit did not remove that. The directory may be
    /// another user's, so that a unit removes it; where that cannot be started, the folder stays for the next sweep.
    func removeTraces(of unit: UnitName) async {
        let folder = UnitFolder(of: unit, in: root)
        if folder.keepsWorkspace {
            do {
                try await manager.startTransientUnit(
                    unit.removal.name, properties: TransientUnit.removal(of: unit))
            } catch {
                guard error.name == UnitManager.unitExists else { return }
            }
        }
        folder.remove()
        // Where the unit's sandbox has the directory mounted, the unit itself leaves an empty one.
        if kind == .system { rmdir("/var/cache/\(TransientUnit.identifier)/\(unit.stem)") }
    }
}
