internal import JSON
internal import PrefectAPI

// The last step: saying how the run ended, where its own process could not.
extension RunExecution {
    /// Says what is to be said about the end of a run, runs the hooks that are due, and cleans up.
    func report(
        _ status: ExitStatus, of identifier: InfrastructureIdentifier, _ prepared: Prepared, submitted: Event?
    ) async throws {
        if isRecovered, try await !isStillToBeReported() {
            reporter.log(.debug, "Flow run '\(flowRun.name)' has ended or is another worker's now")
        } else if held.stopReason == .cancelled {
            try await reportCancellation(status, identifier, prepared)
        } else {
            try await reportExit(status, identifier, prepared)
        }
        let code = status.conclusion == nil ? status.code ?? -1 : 0
        events.executed(related: prepared.related, identifier: identifier, statusCode: code, after: submitted)
        await work(.cleaningUp) { await backend.cleanUp(identifier, job: prepared.job) }
        held.advance(to: .reported)
    }

    /// Whether a run that an earlier process has begun with is this worker's still and has not ended.
    private func isStillToBeReported() async throws -> Bool {
        guard let standing = try await readStanding()?.standing else { return false }
        return standing.isOurs && [.pending, .running, .cancelling].contains(standing.situation)
    }

    /// What the API knows of the run, and the run that this was read from; `nil` when it was deleted.
    func readStanding() async throws -> (run: FlowRun, standing: RunStanding)? {
        guard let current = try await readRun() else { return nil }
        return (current, RunStanding(current, history: try await readHistory(), entry: entry))
    }

    private func reportCancellation(
        _ status: ExitStatus, _ identifier: InfrastructureIdentifier, _ prepared: Prepared
    ) async throws {
        held.setOutcome(.cancelled)
        if case .stateReported(type: "CANCELLED", _)? = status.conclusion { return noteCancellation(prepared) }
        guard let current = try await readRun() else { return }
        if current.stateType == "CANCELLED" { return noteCancellation(prepared) }
        if current.stateType == "COMPLETED" || current.stateType == "FAILED" {
            held.setOutcome(.ended)
            reporter.log(.info, "Flow run '\(flowRun.name)' ended as '\(current.stateName)' before it was cancelled")
            return
        }
        try await finishCancellation(current.state ?? .null, identifier, prepared)
    }

    /// Ends a run that is being cancelled and whose infrastructure is gone.
    private func finishCancellation(
        _ state: JSONValue, _ identifier: InfrastructureIdentifier, _ prepared: Prepared
    ) async throws {
        held.setOutcome(.cancelled)
        // An engine that was told to end in the middle of its flow may have said Crashed: that is not what its hooks are for.
        let cancelling: JSONValue =
            state["type"] == "CANCELLING" ? state : ["type": "CANCELLING", "name": "Cancelling"]
        await backend.runHooks(.cancellation, state: cancelling, of: identifier, job: prepared.job)
        let end = StateProposal.cancelled("Flow run was cancelled successfully.")
        guard case .accepted? = try await proposePersistently(end, force: true) else { return }
        events.cancelled(related: prepared.relatedToCancellation)
        reporter.log(.info, "Flow run '\(flowRun.name)' was cancelled")
    }

    /// Sends the event of a run that ended as cancelled by itself after the worker's request. Infrastructure that
    /// outlives the worker has a runner of its own, which sends that event.
    private func noteCancellation(_ prepared: Prepared) {
        if !Backend.outlivesWorker { events.cancelled(related: prepared.relatedToCancellation) }
    }

    private func reportExit(
        _ status: ExitStatus, _ identifier: InfrastructureIdentifier, _ prepared: Prepared
    ) async throws {
        if case .stateReported? = status.conclusion {
            reporter.log(.debug, "Flow run '\(flowRun.name)' reported its own outcome")
            return
        }
        if status.conclusion == .abortedByAPI || status.code == 0 {
            try await reportSilentEnd(status, prepared, identifier)
            return
        }
        if status.code != nil {
            guard try await !hasBeenPlannedAnew() else { return }
            try await crash(CrashReport(status), identifier, prepared)
        } else {
            try await reportUnseenEnd(status, prepared, identifier)
        }
    }

    /// Whether the run waits for another time: infrastructure that was told to end may have handed its run back before,
    /// whatever its exit code is.
    private func hasBeenPlannedAnew() async throws -> Bool {
        guard Backend.outlivesWorker, let current = try await readRun(),
            current.stateType == "SCHEDULED" || current.stateType == "PAUSED"
        else { return false }
        reporter.log(
            .info, "Flow run '\(flowRun.name)' is '\(current.stateName)': its infrastructure has given it back")
        return true
    }

    /// An end that nobody saw, or whose exit code nobody can know any more: the API's state decides.
    private func reportUnseenEnd(
        _ status: ExitStatus, _ prepared: Prepared, _ identifier: InfrastructureIdentifier
    ) async throws {
        guard let current = try await readRun() else { return }
        switch current.stateType {
        case "CANCELLING": try await finishCancellation(current.state ?? .null, identifier, prepared)
        case "RUNNING", "PENDING":
            try await crash(CrashReport(status), identifier, prepared)
        default: break
        }
    }

    /// Reports an exit without a final state: a flow engine that ends like this has left its run unfinished, and so has
    /// one that was refused its start because the run is being cancelled. A command of the user's own that ends well
    /// needs no report.
    private func reportSilentEnd(
        _ status: ExitStatus, _ prepared: Prepared, _ identifier: InfrastructureIdentifier
    ) async throws {
        guard status.conclusion != nil || prepared.job.configuration.runsFlowEngine,
            let current = try await readRun()
        else { return }
        switch current.stateType {
        case "CANCELLING":
            try await finishCancellation(current.state ?? .null, identifier, prepared)
        case "RUNNING", "PENDING":
            guard status.conclusion == nil else { return }
            let message = "The flow's process ended without an error and without setting a final state."
            try await crash(CrashReport(message, ExitStatus(code: 0), resolution: nil), identifier, prepared)
        default: break
        }
    }

    private func crash(
        _ report: CrashReport, _ identifier: InfrastructureIdentifier, _ prepared: Prepared
    ) async throws {
        let state: JSONValue
        switch try await proposePersistently(.crashed(report.message)) {
        case .accepted(let crashed)?: state = crashed
        case .rejected(let current, _)? where current["type"] == "CANCELLING":
            // Somebody cancelled it at the last moment, and nothing is left that could be stopped.
            try await finishCancellation(current, identifier, prepared)
            return
        default: return
        }
        held.setOutcome(.crashed)
        report.log(
            flowRunID: flowRun.id, to: reporter, outputIsPrinted: prepared.job.configuration.streamsOutput)
        await backend.runHooks(.crashed, state: state, of: identifier, job: prepared.job)
    }
}
