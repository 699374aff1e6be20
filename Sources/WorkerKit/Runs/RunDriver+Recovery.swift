internal import BackendKit
internal import Logging
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

// The steps for a run that an earlier process of the worker had.
extension RunDriver {
    /// Reads the run's status from the API.
    func readStatusOfEarlierProcess(_ memory: Memory) async throws {
        // The earlier process may have died with a proposal under way.
        if [.due, .configured].contains(active.stage) { active.noteUncertainty() }
        let status = try await readStatus()
        memory.isOurs = status.isOurs && status.situation != .deleted
        try await take(.status(status))
        logDecision()
    }

    /// Asks the backend which infrastructure the run has, until the backend can answer.
    func findInfrastructure(_ memory: Memory) async throws {
        let prepared = try await prepareAgain()
        memory.prepared = prepared
        if active.stage == .exited, let identifier = active.identifier {
            return try await note(.ended(identifier), prepared.workload)
        }
        let found = try await retrying {
            try await mark.during(.recovering) { try await prepared.workload.recover(active.identifier) }
        } pause: { (error: InfrastructureError, attempts) in
            if attempts == 1 {
                logger.warning(
                    "The infrastructure of flow run '\(flowRun.name)' cannot be looked up yet, trying again: \(error)")
            }
            try await Task.sleep(for: .seconds(2))
            if !services.shutdown.isServing { throw CancellationError() }
            return .zero
        }
        try await note(found, prepared.workload)
    }

    private func note(_ found: RecoveredInfrastructure, _ workload: any Workload) async throws {
        switch found {
        case .neverStarted: try await take(.found(.neverStarted))
        case .outOfReach: try await take(.found(.outOfReach))
        case .present(let identifier):
            active.setIdentifier(identifier)
            try await take(.found(.present))
        case .ended(let identifier):
            active.setIdentifier(identifier)
            let exit = active.exit ?? ExitStatus(code: nil)
            active.setExit(exit)
            try await take(.found(.ended(end(exit, workload))))
        }
        logDecision()
    }

    /// Makes the job of a run whose infrastructure may already exist. Uses the backend's defaults if the configuration
    /// cannot be made again. The worker only watches and stops such a job, and does not start it.
    private func prepareAgain() async throws -> RunJobs.Prepared {
        do {
            return try await jobs.prepare(mark: mark)
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.warning(
                "Flow run '\(flowRun.name)' continues, but its job configuration cannot be rebuilt: \(error)")
            return try await jobs.bare()
        }
    }

    private func logDecision() {
        let decision: String? =
            switch active.machine.step {
            case .finished, .cleanUp: "needs no recovery"
            case .claim: "was about to be claimed: claiming it"
            case .settle where active.stopReason == .cancelled, .cancelUnstarted:
                "is being cancelled and had not been started: cancelling it"
            case .settle, .configure: "had been claimed and not started: starting it"
            case .watch: "still runs as '\(active.identifier?.rawValue ?? "")': watching it"
            case .readBeforeReport: "ended as '\(active.identifier?.rawValue ?? "")' meanwhile: reporting it"
            case .left: "may still run where this worker cannot reach it: checking again at the next start"
            default: nil
            }
        guard let decision else { return }
        logger.info("Flow run '\(flowRun.name)' of an earlier process \(decision)")
    }

    // MARK: Runs that are given up

    /// Reports a run during whose work a process has died twice, instead of a third attempt.
    ///
    /// The report does not count as work that causes a death. Otherwise a worker that is killed often would drop the
    /// run.
    func reportGivenUp() async throws {
        switch try await proposeCrash(reasonToGiveUp) {
        case .accepted: try await take(.done)
        case .cancelling:
            _ = try await proposePersistently(.cancelled("The flow run was cancelled. \(reasonToGiveUp)"), force: true)
            try await take(.refusedForCancellation)
        case .refused: try await take(.refused)
        }
    }

    private var reasonToGiveUp: String {
        "The worker's process died twice while it was \((active.work ?? .recovering).gerund), so the worker does not "
            + "retry the flow run. See the worker's log and the system's log for the cause."
    }

    /// Stops the run's infrastructure without reading its configuration. If a process has died during that too, the
    /// infrastructure is not touched.
    func endGivenUp() async throws {
        reporter.log(.error, "Flow run '\(flowRun.name)' is given up. \(reasonToGiveUp)")
        if let result = try await endInfrastructure() { reporter.log(.warning, result) }
        try await take(.done)
    }

    /// Stops infrastructure that the run may have. Returns the result in one line, or `nil` when there is none.
    private func endInfrastructure() async throws -> String? {
        guard [.submitted, .running].contains(active.stage) else { return nil }
        let name = active.identifier.map { "Infrastructure '\($0)'" } ?? "Infrastructure of the flow run"
        let remedy = "may still run: find it and stop it by hand"
        guard active.deaths == LedgerEntry.fatalDeaths else { return "\(name) \(remedy)" }
        active.begin(active.work ?? .recovering)
        await services.ledger.record([entry])
        do {
            let workload = try await jobs.bare().workload
            guard let (identifier, hasEnded) = try await existingInfrastructure(of: workload) else { return nil }
            let isStopped = hasEnded ? false : try await stop(identifier, workload)
            await workload.cleanUp(identifier)
            return isStopped ? "Infrastructure '\(identifier)' was stopped" : nil
        } catch let error as CancellationError {
            if active.endWork() { await services.ledger.record([entry]) }
            throw error
        } catch is OutOfReach {
            return "\(name) \(remedy)"
        } catch {
            return "\(name) could not be stopped: \(error). It \(remedy)"
        }
    }

    /// The infrastructure that the run has or had; `nil` when none was created.
    private func existingInfrastructure(
        of workload: any Workload
    ) async throws -> (identifier: InfrastructureIdentifier, hasEnded: Bool)? {
        if let identifier = active.identifier { return (identifier, false) }
        switch try await workload.recover(nil) {
        case .present(let identifier): return (identifier, false)
        case .ended(let identifier): return (identifier, true)
        case .neverStarted: return nil
        case .outOfReach: throw OutOfReach()
        }
    }

    /// Stops infrastructure; `false` when it had already ended.
    private func stop(
        _ identifier: InfrastructureIdentifier, _ workload: any Workload
    ) async throws -> Bool {
        do {
            try await workload.stop(identifier, grace: served.stopGrace, reason: .shutdown)
            return true
        } catch let error as InfrastructureError where error.kind == .notFound {
            return false
        }
    }
}

/// The error for infrastructure that may exist out of this worker's reach.
private struct OutOfReach: Error {}
