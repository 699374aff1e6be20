internal import BackendKit
internal import PrefectConcurrency
internal import Synchronization
internal import Systemd

// Watching a unit to its end.
extension SystemdWorkload {
    /// The number of a run's last lines that explain a crash, and their approximate size in bytes.
    private static let lastWords = (lines: 20, bytes: 8 << 10)

    /// Waits until the unit has ended. The unit itself records how it ended. If it could not, because the host was
    /// switched off or had no room, the status is unknown.
    func wait(
        for identifier: InfrastructureIdentifier
    ) async throws -> ExitStatus {
        let unit = try UnitHandle(identifier).unit
        backend.inUse.add(unit.name)
        guard let end = try await end(of: unit) else {
            return ExitStatus(
                code: nil, lastOutput: await lastOutput(of: unit),
                reason: "Its unit '\(unit.name)' no longer exists and did not record its exit status.")
        }
        let limits = configuration.resources.limits
        guard end.code != 0 || end.result != "success" else { return end.status(limits, lastOutput: nil) }
        return end.status(limits, lastOutput: await lastOutput(of: unit))
    }

    /// Waits until a unit has ended and its output has been copied; returns `nil` when the unit did not record how it
    /// ended.
    func end(of unit: UnitName) async throws(CancellationError) -> UnitEnd? {
        guard await backend.watch.waitForEnd(of: unit.name) else { throw CancellationError() }
        let directory = UnitDirectory(of: unit, in: backend.root)
        if directory.streams {
            // The journal may still be writing the last lines.
            try? await Task.sleep(for: .milliseconds(100))
            await backend.copier?.catchUp(after: unit, within: .seconds(10))
        }
        return directory.readEnd()
    }

    /// Returns the last lines of a unit, or else the manager's last messages about it. They come from the journal, as
    /// far as this user may read it.
    func lastOutput(of unit: UnitName) async -> String? {
        let (unitField, objectField) =
            backend.kind == .system ? ("_SYSTEMD_UNIT", "UNIT") : ("_SYSTEMD_USER_UNIT", "USER_UNIT")
        let output = [
            "\(unitField)=\(unit.name)", "SYSLOG_IDENTIFIER=\(TransientUnit.identifier)", "_TRANSPORT=stdout",
        ]
        // The journal may still be writing the last lines. On a busy host it takes longer to write the first ones.
        for _ in 0..<5 {
            try? await Task.sleep(for: .milliseconds(200))
            if let lines = await lastMessages(output) { return lines }
        }
        return await lastMessages(["\(objectField)=\(unit.name)"])
    }

    /// The last messages that match, in lines; `nil` when there are none.
    private func lastMessages(_ matches: [String]) async -> String? {
        let messages = await onThread("journal") {
            JournalReader(matches: matches)?.lastMessages(Self.lastWords.lines, size: Self.lastWords.bytes) ?? []
        }
        return messages.flatMap { $0.isEmpty ? nil : $0.joined(separator: "\n") }
    }
}
