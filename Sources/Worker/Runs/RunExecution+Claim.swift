internal import JSON
internal import Logging
internal import PrefectAPI

// The first step: making a run this worker's, and this worker's alone.
extension RunExecution {
    /// Proposes PENDING. Only an accepted proposal makes the run this worker's.
    func claim() async throws -> Bool {
        reporter.log(.info, "Worker '\(served.workerName)' submitting flow run '\(flowRun.id)'")
        let outcome: ProposalOutcome
        do {
            outcome = try await api.propose(
                .pending, forFlowRun: flowRun.id, transitionID: held.transitions.claim, onDoubt: held.doubt)
        } catch let error as APIError where error.isNotFound {
            reporter.log(.info, "Flow run '\(flowRun.id)' was deleted before it was submitted")
            return false
        } catch let error as APIError {
            guard error.isTransient, error.mayHaveBeenApplied else {
                services.logger.warning("Flow run '\(flowRun.name)' could not be claimed, it stays scheduled: \(error)")
                return false
            }
            return try await settleClaim(after: error)
        }
        return try await isOurs(outcome)
    }

    /// The claim may or may not have reached the API, and no attempt brought an answer. The run itself tells, once the
    /// API is back; until then the slot is kept, since the run may be ours.
    private func settleClaim(after error: APIError) async throws -> Bool {
        services.logger.warning("Flow run '\(flowRun.name)' may be claimed, asking until the API says so: \(error)")
        do {
            let current = try await persistently { try await api.readFlowRun(id: flowRun.id, effort: .persistent) }
            if current.transitionID == held.transitions.claim {
                return try await isOurs(.accepted(state: current.state ?? .null))
            }
            if current.stateType == "CANCELLING", try await readStanding()?.standing.isOurs == true {
                try await endBeforeStart(.cancelled)
            }
            guard current.stateType == "SCHEDULED" else { return false }
            return try await isOurs(
                persistently {
                    try await api.propose(
                        .pending, forFlowRun: flowRun.id, transitionID: held.transitions.claim, effort: .persistent,
                        onDoubt: held.doubt)
                })
        } catch let error as APIError {
            services.logger.warning("Flow run '\(flowRun.name)' was given up: \(error)")
            return false
        }
    }

    func isOurs(_ outcome: ProposalOutcome) async throws -> Bool {
        switch outcome {
        case .accepted(let state) where state["type"]?.stringValue == "PENDING":
            guard try await isSettled() else { return false }
            held.confirm()
            await enter(.claimed)
            return true
        case .accepted(let state), .rejected(let state, _):
            let name = state["name"]?.stringValue ?? state["type"]?.stringValue ?? "unknown"
            reporter.log(.info, "Flow run '\(flowRun.id)' was not submitted: the API put it into the state '\(name)'")
        case .aborted(let reason):
            if let id = flowRun.deploymentID, reason.contains("Deployment not found") {
                try await cancelForMissingDeployment(id)
            } else {
                contest.noteLostClaim()
                reporter.log(.info, "Flow run '\(flowRun.id)' was not submitted: \(reason)")
            }
        }
        return false
    }

    /// Settles, where other workers are about, whose an accepted claim is: the first to leave its mark has the run.
    private func isSettled() async throws -> Bool {
        guard let due = held.due, await contest.mayConcernAcceptedClaim() else { return true }
        let name = "prefect-worker-claim-\(due.microseconds)"
        do {
            let isOurs = try await persistently {
                try await api.writeUniqueInput(
                    named: name, value: held.transitions.claim, ofFlowRun: flowRun.id, effort: .persistent)
            }
            if isOurs, try await !hasGoneOnWithoutMark() {
                held.settle()
                return true
            }
            reporter.log(.info, "Flow run '\(flowRun.id)' was not submitted: another worker has claimed it")
            // The run may have ended before its claim was carried out.
            held.doubt()
            return false
        } catch let error as APIError {
            // An API without marks: a run is not lost for want of one.
            services.logger.debug("The claim of flow run '\(flowRun.name)' could not be settled: \(error)")
            return true
        }
    }

    /// Whether a worker that saw nobody else, and so left no mark, has already gone on with the run: its claim is followed by
    /// more than itself since the run was planned last.
    private func hasGoneOnWithoutMark() async throws -> Bool {
        let history = try await readHistory().sorted { $0.timestamp < $1.timestamp }
        let planned = history.lastIndex { $0.type == "SCHEDULED" }
        return history.suffix(from: planned.map { $0 + 1 } ?? 0).contains { state in
            guard state.transitionID.map(held.transitions.contains) != true else { return false }
            return state.isFinal || state.type == "RUNNING" || state.name == StateProposal.submitting.name
        }
    }

    func cancelForMissingDeployment(_ id: String) async throws {
        let message = "Deployment \(id) no longer exists, cancelled run."
        reporter.log(.warning, message)
        held.setOutcome(.cancelled)
        _ = try await proposePersistently(.cancelled(message), force: true)
    }
}
