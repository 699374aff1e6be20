internal import BackendKit
internal import Logging
internal import PrefectClient
internal import PrefectJSON

// The steps by which this worker claims a run and ensures that no other worker has it.
extension RunDriver {
    /// Proposes Pending. Only an accepted proposal makes the run this worker's.
    func claim() async throws {
        // A worker that shuts down claims no run, neither a new one nor one of an earlier process.
        guard services.shutdown.isServing else { return try await take(.refused) }
        reporter.log(.info, "Worker '\(served.workerName)' submitting flow run '\(flowRun.id)'")
        do {
            try await take(result(of: try await proposePending()))
        } catch let error as APIError where error.isNotFound {
            reporter.log(.info, "Flow run '\(flowRun.id)' was deleted before it was submitted")
            try await take(.deleted)
        } catch let error as APIError where error.isTransient && error.mayHaveBeenApplied {
            logger.warning(
                "Flow run '\(flowRun.name)' may be claimed, retrying until the API answers: \(error)")
            try await take(.unanswered(again: false))
        } catch let error as APIError {
            logger.warning("Flow run '\(flowRun.name)' could not be claimed, it stays scheduled: \(error)")
            try await take(.failed)
        }
    }

    /// Proposes Pending once. Meanwhile, reads the objects that the job of a claimed run needs.
    private func proposePending() async throws -> ProposalOutcome {
        // An error of this read occurs again when the job is made.
        async let reading: Void? = try? await jobs.readObjects()
        let outcome = try await api.propose(
            .pending, forFlowRun: flowRun.uuid, transitionID: active.transitions.claim,
            onUncertainty: active.noteUncertainty)
        if case .accepted = outcome { await reading }
        return outcome
    }

    /// Reads which worker has the run after a claim without an answer. Until the API is available again, the run keeps
    /// its slot, because it may be this worker's.
    func readAfterClaim() async throws {
        do {
            let current = try await persistently {
                KnownRun(try await api.readFlowRun(id: flowRun.uuid, effort: .persistent))
            }
            let reading = RunMachine.Reading(current) { $0.transitionID == active.transitions.claim }
            try await take(.read(current.stateType == "PAUSED" ? .pending : reading))
        } catch let error as APIError {
            logger.warning("The claim of flow run '\(flowRun.name)' was abandoned: \(error)")
            try await take(.failed)
        }
    }

    /// Proposes Pending again, by the same transition, until there is an answer.
    func claimAgain() async throws {
        do {
            let outcome = try await persistently {
                try await api.propose(
                    .pending, forFlowRun: flowRun.uuid, transitionID: active.transitions.claim, effort: .persistent,
                    onUncertainty: active.noteUncertainty)
            }
            try await take(result(of: outcome))
        } catch let error as APIError {
            logger.warning("The claim of flow run '\(flowRun.name)' was abandoned: \(error)")
            try await take(.failed)
        }
    }

    private func result(of outcome: ProposalOutcome) -> RunMachine.Event {
        switch outcome {
        case .accepted(let state) where state?.type == .pending: return .done
        case .accepted(let state), .rejected(let state, _):
            let name = state?.shownName ?? "unknown"
            reporter.log(.info, "Flow run '\(flowRun.id)' was not submitted: the API put it into the state '\(name)'")
            if state?.type == .cancelling { return .refusedForCancellation }
        case .aborted(let reason):
            if flowRun.deploymentID != nil, reason.contains("Deployment not found") { return .deploymentDeleted }
            runs.peers.noteLostClaim()
            reporter.log(.info, "Flow run '\(flowRun.id)' was not submitted: \(reason)")
        }
        return .refused
    }

    /// Settles which worker's accepted claim counts, where other workers serve the pool. The first worker that writes
    /// its mark has the run.
    func settle() async throws {
        let result = try await settlement()
        if result != .refused { active.confirm() }
        try await take(result)
    }

    private func settlement() async throws -> RunMachine.Event {
        guard let due = active.due, await runs.peers.mayConcernAcceptedClaim() else { return .done }
        let name = RunMark.claim(dueAt: due)
        do {
            let isOurs = try await persistently {
                try await api.writeUniqueInput(
                    flowRunID: flowRun.uuid, key: name, value: active.transitions.claim, effort: .persistent)
            }
            if isOurs, try await !isStartedWithoutMark() { return .settled }
            reporter.log(.info, "Flow run '\(flowRun.id)' was not submitted: another worker has claimed it")
            // The API may have applied the claim after the end of the run.
            active.noteUncertainty()
            return .refused
        } catch let error as APIError {
            // An API without marks refuses the request, and the run must not be lost for that reason.
            logger.debug("The claim of flow run '\(flowRun.name)' could not be settled: \(error)")
            return .done
        }
    }

    /// Whether a worker that saw no other worker, and so wrote no mark, has already advanced the run. In that case, a
    /// transition that is not this worker's has set Submitting, Running or a final state since the run was last
    /// scheduled.
    private func isStartedWithoutMark() async throws -> Bool {
        let history = try await readHistory().sorted { $0.timestamp < $1.timestamp }
        let planned = history.lastIndex { $0.type == "SCHEDULED" }
        return history.suffix(from: planned.map { $0 + 1 } ?? 0).contains { state in
            guard state.transitionID.map(active.transitions.contains) != true else { return false }
            return state.isFinal || state.type == "RUNNING" || state.name == StateCreate.submitting.name
        }
    }
}
