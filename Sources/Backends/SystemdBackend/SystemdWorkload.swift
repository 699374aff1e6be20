internal import BackendKit
internal import Glibc
internal import PrefectConcurrency
internal import PrefectJSON
internal import Systemd

/// The transient unit of one flow run.
struct SystemdWorkload: FlowHookRunner {
    let backend: SystemdBackend
    let run: RunContext
    let configuration: SystemdConfiguration

    var description: JSONValue { configuration.json }
    var runsFlowEngine: Bool { configuration.runsFlowEngine }
    var streamsOutput: Bool { configuration.streamsOutput }
    var afterStart: any Workload {
        SystemdWorkload(backend: backend, run: run, configuration: configuration.afterStart)
    }

    /// Stops the unit: SIGTERM to all of its processes, and SIGKILL after the job's `timeout_stop_sec` or else `grace`.
    func stop(
        _ identifier: InfrastructureIdentifier, grace: Duration, reason: StopReason
    ) async throws {
        let unit = try UnitHandle(identifier).unit
        let grace = configuration.resources.stopTime ?? grace
        // SIGTERM is sent directly, because a stop of the unit applies a time limit of its own.
        guard try await kill(unit, SIGTERM) else { return }
        if try await backend.watch.waitForEnd(of: unit.name, within: grace) { return }
        guard try await ask(unit, { () async throws(BusError) in try await backend.manager.stop(unit.name) }),
            try await kill(unit, SIGKILL)
        else { return }
        guard await backend.watch.waitForEnd(of: unit.name) else { throw CancellationError() }
    }

    private func kill(_ unit: UnitName, _ signal: Int32) async throws -> Bool {
        try await ask(unit) { () async throws(BusError) in try await backend.manager.kill(unit.name, signal: signal) }
    }

    /// Sends a request that ends a unit; returns `false` when the unit does not exist.
    private func ask(
        _ unit: UnitName, _ body: () async throws(BusError) -> Void
    ) async throws -> Bool {
        do {
            try await body()
            return true
        } catch {
            if error.name == UnitManager.noSuchUnit { return false }
            throw InfrastructureError(.unavailable, "Unit '\(unit.name)' could not be stopped: \(error.message)")
        }
    }
}
