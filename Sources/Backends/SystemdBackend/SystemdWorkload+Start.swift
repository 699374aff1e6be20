internal import BackendKit
internal import FoundationEssentials
internal import Glibc
internal import PrefectConcurrency
internal import PrefectFiles
internal import Synchronization
internal import Systemd

// Creation and start of a run's unit.
extension SystemdWorkload {
    /// Creates the run's unit exactly once, even if answers of the manager are lost.
    func start() async throws -> InfrastructureIdentifier {
        guard !backend.root.isEmpty else {
            throw InfrastructureError(
                .refused, "The worker has no state directory for the units of systemd; give it one with --state-dir")
        }
        if let directory = configuration.workingDirectory {
            var isDirectory = false
            guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory else {
                throw InfrastructureError(
                    .refused,
                    "The working directory '\(directory)' is not an existing directory; create it on the worker's host "
                        + "or change working_dir"
                )
            }
        }
        // A unit with an unknown user could not even report that error.
        for (field, name, exists) in [
            ("user", configuration.resources.user, Self.userExists),
            ("group", configuration.resources.group, Self.groupExists),
        ] {
            guard let name, Int(name) == nil, !exists(name) else { continue }
            throw InfrastructureError(
                .refused,
                "The job variable '\(field)' is '\(name)', which does not exist on this host; create it or correct it")
        }
        let unit = UnitName(flowRunID: run.flowRunID, claimID: run.claimID)
        let directory = UnitDirectory(of: unit, in: backend.root)
        backend.inUse.add(unit.name)
        do {
            let transient = TransientUnit(
                unit: unit, directory: directory, configuration: configuration, flowRunID: run.flowRunID,
                flowRunName: run.flowRunName)
            try directory.create(transient, streams: configuration.streamsOutput && backend.copier != nil)
            try await launch(transient)
        } catch {
            backend.inUse.remove(unit.name)
            // A unit that may have been started is found again by its claim.
            if (error as? InfrastructureError)?.kind == .refused { directory.remove() }
            throw error
        }
        return UnitHandle.identifier(of: unit)
    }

    private static func userExists(_ name: String) -> Bool {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 64 << 10)
        return getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0 && found != nil
    }

    private static func groupExists(_ name: String) -> Bool {
        var entry = group()
        var found: UnsafeMutablePointer<group>?
        var buffer = [CChar](repeating: 0, count: 64 << 10)
        return getgrnam_r(name, &entry, &buffer, buffer.count, &found) == 0 && found != nil
    }

    /// Requests that the manager creates the unit, unless it has already done so.
    func launch(_ transient: TransientUnit) async throws {
        var failures = 0
        try await retrying {
            try await launchOnce(transient)
        } pause: { (error: BusError, _) in
            guard error.isTransient else {
                throw InfrastructureError(
                    .refused,
                    "systemd refused to start a unit for the run: \(error.message); \(SystemdBackend.remedy(error))")
            }
            guard try await backend.availability.mayRepeat(after: &failures) else {
                throw InfrastructureError(
                    .unavailable, "systemd did not confirm the start of the run's unit: \(error.message)")
            }
            return .zero
        }
    }

    private func launchOnce(_ transient: TransientUnit) async throws {
        // Each call has its own open file, which is read from its beginning.
        guard let script = transient.directory.openStart() else {
            throw InfrastructureError(
                .unavailable, "The script of the run's unit cannot be read: \(String(cString: strerror(errno)))")
        }
        // The unit gets only the number of the open file.
        defer { withExtendedLifetime(script) {} }
        do {
            try await backend.manager.startTransientUnit(
                transient.unit.name, properties: transient.properties(script: script.raw))
        } catch {
            // An earlier call without an answer was carried out: its unit exists, or has ended since.
            if error.name == UnitManager.unitExists || transient.directory.hasEnd { return }
            throw error
        }
    }
}
