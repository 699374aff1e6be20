internal import JSON
internal import Logging
internal import OrderedCollections
internal import PrefectAPI

// The third step: saying that the run is being submitted, making sure that it still is ours, and starting it.
extension RunExecution {
    /// Says that the run is being submitted, and creates its infrastructure.
    func submit(_ prepared: Prepared) async throws -> (InfrastructureIdentifier, Event)? {
        let submitted = events.submitted(related: prepared.related)
        guard try await announceSubmission() else { return nil }
        if let reason = held.stopReason ?? (services.shutdown.isServing ? nil : .shutdown) {
            try await endBeforeStart(reason)
            return nil
        }
        // Written with the note that it is being started.
        held.advance(to: .submitted)
        do {
            let started = try await work(.starting) {
                let started = try await start(prepared)
                if let started {
                    held.setIdentifier(started)
                    await enter(.running)
                }
                return started
            }
            guard let identifier = started else { return nil }
            if !isRecovered { metrics.submitted(after: .now - held.takenAt) }
            reporter.log(.info, "Flow run '\(flowRun.name)' submitted to infrastructure as '\(identifier)'")
            return (identifier, submitted)
        } catch let error as CancellationError {
            throw error
        } catch {
            if let code = (error as? InfrastructureError)?.exitCode {
                reporter.log(.info, ExitHint(code: code).resolution)
            }
            try await reportFailedSubmission(error)
            return nil
        }
    }

    /// Creates the infrastructure, unless the run is to be left or to end before that is done, which may take long; `nil` when
    /// the run has been ended.
    private func start(_ prepared: Prepared) async throws -> InfrastructureIdentifier? {
        do {
            return try await withThrowingTaskGroup(of: InfrastructureIdentifier?.self) { group in
                group.addTask { try await backend.start(prepared.job) }
                group.addTask {
                    await withTaskGroup(of: Void.self) { requests in
                        requests.addTask { _ = await held.waitForStopRequest() }
                        requests.addTask { await held.waitForLeave() }
                        await requests.next()
                        requests.cancelAll()
                    }
                    return nil
                }
                while let result = try await group.next() {
                    group.cancelAll()
                    if let identifier = result { return identifier }
                }
                throw CancellationError()
            }
        } catch let error as CancellationError {
            guard let reason = held.stopReason, !held.isToBeLeft else { throw error }
            return try await remains(ofInterrupted: prepared, reason)
        }
    }

    /// What a start has made that was interrupted, asked for until it can be told.
    private func remains(
        ofInterrupted prepared: Prepared, _ reason: StopReason
    ) async throws -> InfrastructureIdentifier? {
        while true {
            do {
                switch try await backend.remains(of: prepared.job, identifier: nil) {
                case .running(let identifier), .ended(let identifier): return identifier
                case .neverStarted, .outOfReach:
                    try await endBeforeStart(reason)
                    return nil
                }
            } catch let error as InfrastructureError {
                services.logger.debug(
                    "Flow run '\(flowRun.name)': what its start has left cannot be told yet: \(error)")
                try await Task.sleep(for: .seconds(2))
            }
        }
    }

    /// The worker's labels on the run, said for as long as it takes. They help people to find things; a run does not
    /// fail for want of them.
    func label() async {
        let labels: OrderedDictionary<String, String> = [
            "prefect.worker.name": served.workerName, "prefect.worker.type": Backend.workerType,
            "prefect.work-pool.name": pool.name, "prefect.work-pool.id": pool.id,
        ]
        // An earlier attempt at the run, or an earlier process, may have said the same.
        if labels.allSatisfy({ flowRun.labels[$0.key] == .string($0.value) }) { return }
        do {
            try await persistently { try await api.addLabels(labels, toFlowRun: flowRun.id, effort: .persistent) }
        } catch {
            services.logger.debug("Flow run '\(flowRun.name)' has no worker labels: \(error)")
        }
    }

    /// Proposes Submitting, and finds out by that whether the run is still this worker's and may start.
    ///
    /// A server on SQLite may accept the claims of two workers that come within the same moment. Of the two that go on,
    /// the first to propose Submitting has it accepted, and the other, refused, sees whose the run is. Only a proposal
    /// that comes late could be accepted over what has happened since: then the run is looked at before.
    private func announceSubmission() async throws -> Bool {
        for _ in 0..<Self.submissionAttempts {
            if held.timeSinceConfirmation > Self.confirmationLifetime {
                guard try await isStillOurs() else { return false }
            }
            do {
                let outcome = try await api.propose(
                    .submitting, forFlowRun: flowRun.id, transitionID: held.transitions.submission, effort: .once,
                    onDoubt: held.doubt)
                if case .accepted = outcome { return true }
                return try await isStillOurs()
            } catch let error as APIError {
                if error.isNotFound {
                    reporter.log(.info, "Flow run '\(flowRun.id)' was deleted before it was started")
                    return false
                }
                services.logger.debug("Flow run '\(flowRun.name)' does not show that it is being submitted: \(error)")
                guard error.isTransient else { break }
                try await api.pause(error.retryAfter ?? .milliseconds(Int.random(in: 500...1500)))
            }
        }
        // The name of a state is not worth the run.
        return try await isStillOurs()
    }

    private static var submissionAttempts: Int { 4 }
    /// For how long nobody else can have taken and brought forward a run that was ours.
    private static var confirmationLifetime: Duration { .milliseconds(500) }

    /// Reads the run and says whether it is still pending by this worker's doing; deals with it if not.
    private func isStillOurs() async throws -> Bool {
        guard let current = try await readRun() else { return false }
        switch current.stateType {
        case "PENDING" where held.mayGoOn(in: current.stateName, by: current.transitionID):
            held.confirm()
            return true
        case "CANCELLING":
            // Somebody else's run may be running meanwhile: only one that nobody else has claimed is ended.
            if try await readStanding()?.standing.isOurs == true { try await endBeforeStart(.cancelled) }
        default:
            // It has ended, waits for another time, or is another worker's.
            reporter.log(.info, "Flow run '\(flowRun.id)' was not started: its state is '\(current.stateName)' now")
        }
        return false
    }

    /// Ends a run that is this worker's but has no infrastructure yet.
    func endBeforeStart(_ reason: StopReason) async throws {
        switch reason {
        case .cancelled:
            held.setOutcome(.cancelled)
            _ = try await proposePersistently(
                .cancelled("The flow run was cancelled before it was started."), force: true)
        case .shutdown:
            held.setOutcome(.left)
            // Another worker can take it, unless something else has become of it.
            guard let current = try await readRun(), current.stateType == "PENDING",
                held.mayGoOn(in: current.stateName, by: current.transitionID)
            else { return }
            let back = StateProposal(
                type: "SCHEDULED", name: "Scheduled",
                message: "Worker '\(served.workerName)' shut down before it started the flow run.",
                // Another time than before: the mark of this worker's claim stands for the old one.
                scheduledTime: max(held.due?.adding(seconds: 0.000_001) ?? .now, .now))
            _ = try await proposePersistently(back)
        }
    }
}
