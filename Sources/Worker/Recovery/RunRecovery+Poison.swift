internal import JSON
internal import Logging
internal import PrefectAPI

// Runs of which the process dies.
extension RunRecovery {
    /// Ends a run at which a process has died twice already, instead of trying it a third time. Its infrastructure is stopped
    /// without a look at its configuration; where a process has died of that, too, it is left and reported.
    ///
    /// The report is not work that a death is blamed on: a worker that is killed often would drop the run otherwise.
    func giveUp(_ execution: RunExecution<Backend>) async throws {
        try await report(execution)
        guard let fate = try await endInfrastructure(execution) else { return }
        execution.reporter.log(.warning, fate)
    }

    private func report(_ execution: RunExecution<Backend>) async throws {
        let current = try await execution.readStanding()
        let isOurs = current?.standing.isOurs == true
        let work = (entry.work ?? .recovering).gerund
        let reason =
            "The worker's process died twice while it was \(work), so that the flow run is not tried again; see the "
            + "worker's log and the system's log for the cause."
        if let standing = current?.standing, isOurs, [.pending, .running, .cancelling].contains(standing.situation) {
            held.setOutcome(.crashed)
            _ = try await execution.proposePersistently(.crashed(reason))
        }
        execution.reporter.log(.error, "Flow run '\(entry.flowRunName)' is given up. \(reason)")
    }

    /// Stops what the run may have left; what became of it, in one line, or `nil` when there is nothing.
    private func endInfrastructure(_ execution: RunExecution<Backend>) async throws -> String? {
        guard [.submitted, .running].contains(entry.stage) else { return nil }
        let name = entry.identifier.map { "Infrastructure '\($0)'" } ?? "Infrastructure of the flow run"
        let remedy = "may still run and is left alone: look for it and end it by hand"
        guard entry.deaths == RunWorkMark.mostDeaths else { return "\(name) \(remedy)" }
        held.begin(entry.work ?? .recovering)
        await services.ledger.record([execution.entry])
        do {
            let job = try execution.bare().job
            guard let (identifier, hasEnded) = try await infrastructure(of: job) else { return nil }
            let isStopped = hasEnded ? false : try await stop(identifier, job)
            await backend.cleanUp(identifier, job: job)
            return isStopped ? "Infrastructure '\(identifier)' was stopped" : nil
        } catch let error as CancellationError {
            if held.endWork() { await services.ledger.record([execution.entry]) }
            throw error
        } catch is OutOfReach {
            return "\(name) \(remedy)"
        } catch {
            return "\(name) \(remedy): it could not be stopped: \(error)"
        }
    }

    private struct OutOfReach: Error {}

    /// The infrastructure that the run has or had; `nil` when none was created.
    private func infrastructure(
        of job: Job<Backend.Configuration>
    ) async throws -> (identifier: InfrastructureIdentifier, hasEnded: Bool)? {
        if let identifier = entry.identifier { return (identifier, false) }
        switch try await backend.remains(of: job, identifier: nil) {
        case .running(let identifier): return (identifier, false)
        case .ended(let identifier): return (identifier, true)
        case .neverStarted: return nil
        case .outOfReach: throw OutOfReach()
        }
    }

    /// Stops infrastructure; `false` when it had ended already.
    private func stop(
        _ identifier: InfrastructureIdentifier, _ job: Job<Backend.Configuration>
    ) async throws -> Bool {
        do {
            try await backend.stop(identifier, job: job, grace: live.value.stopGrace, reason: .shutdown)
            return true
        } catch let error as InfrastructureError where error.kind == .notFound {
            return false
        }
    }
}
