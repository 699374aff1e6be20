internal import JSON
internal import Logging
internal import PrefectAPI

// The steps from a claimed run to its infrastructure, and the ends of runs that get none.
extension RunDriver {
    /// Reads deployment and flow, renders the template and prepares the backend's configuration.
    func configure(_ memory: inout Memory) async throws {
        do {
            memory.prepared = try await jobs.prepare(continuing: memory.trace, mark: mark)
            try await take(.done)
        } catch is RunJobs<Backend>.MissingDeployment {
            try await take(.deploymentDeleted)
        } catch let error as CancellationError {
            throw error
        } catch {
            memory.failure = error
            try await take(.failed)
        }
    }

    // MARK: Submitting

    /// Proposes Submitting, and finds out by that whether the run is still this worker's and may start.
    ///
    /// A server on SQLite may accept the claims of two workers that come within the same moment. Of the two that continue,
    /// the first to propose Submitting has it accepted, and the other, refused, sees whose the run is. Only a proposal
    /// that comes late could be accepted over what has happened since: then the run is looked at before.
    func submit(_ memory: inout Memory) async throws {
        if memory.submitted == nil { memory.submitted = memory.prepared.map { events.submitted(related: $0.related) } }
        if held.timeSinceConfirmation > Self.confirmationLifetime {
            let reading = try await readToGoOn()
            try await take(reading)
            guard reading == .read(.ours) else { return }
        }
        memory.submissions += 1
        do {
            let outcome = try await api.propose(
                .submitting, forFlowRun: flowRun.id, transitionID: held.transitions.submission, effort: .once,
                onDoubt: held.doubt)
            guard case .accepted = outcome else { return try await take(.refused) }
            noteShutdown()
            try await take(.done)
        } catch let error as APIError {
            if error.isNotFound {
                reporter.log(.info, "Flow run '\(flowRun.id)' was deleted before it was started")
                return try await take(.deleted)
            }
            services.logger.debug("Flow run '\(flowRun.name)' does not show that it is being submitted: \(error)")
            // The name of a state is not worth the run.
            let again = error.isTransient && memory.submissions < Self.submissionAttempts
            if error.isTransient { try await api.pause(error.retryAfter ?? .milliseconds(Int.random(in: 500...1500))) }
            try await take(.unanswered(again: again))
        }
    }

    private static var submissionAttempts: Int { 4 }
    /// For how long no other worker can have taken and brought forward a run that was this worker's.
    private static var confirmationLifetime: Duration { .milliseconds(500) }

    /// Reads whether the run is still pending by this worker's doing.
    func readToGoOn() async throws -> RunMachine.Event {
        let current = try await readRun()
        let reading = RunMachine.Reading(current) { held.mayGoOn(in: $0.stateName, by: $0.transitionID) }
        switch reading {
        case .ours:
            held.confirm()
            noteShutdown()
        case .deleted, .cancelling: break
        default:
            // It has ended, waits for another time, or is another worker's.
            let name = current?.stateName ?? ""
            reporter.log(.info, "Flow run '\(flowRun.id)' was not started: its state is '\(name)' now")
        }
        return .read(reading)
    }

    /// A worker that shuts down starts nothing, whether or not the run was asked to stop.
    private func noteShutdown() {
        if !services.shutdown.isServing { held.requestStop(.shutdown) }
    }

    // MARK: Starting

    /// Creates the infrastructure, and writes down at once what was created.
    func start(_ memory: inout Memory) async throws {
        let job = try memory.job()
        do {
            try await mark.during(.starting) {
                if let identifier = try await create(job) {
                    try await noteStart(identifier)
                } else {
                    try await take(.interrupted)
                }
            }
        } catch let error as CancellationError {
            throw error
        } catch let error as HeldRun.IllegalEvent {
            throw error
        } catch {
            if let code = (error as? InfrastructureError)?.exitCode {
                reporter.log(.info, ExitHint(code: code).resolution)
            }
            memory.failure = error
            try await take(.failed)
        }
    }

    /// The infrastructure that was created; `nil` when the run is to stop before that is done, which may take long.
    private func create(_ job: Job<Backend.Configuration>) async throws -> InfrastructureIdentifier? {
        do {
            return try await withThrowingTaskGroup(of: InfrastructureIdentifier?.self) { group in
                group.addTask { try await backend.start(job) }
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
            guard held.stopReason != nil, !held.isToBeLeft else { throw error }
            return nil
        }
    }

    private func noteStart(_ identifier: InfrastructureIdentifier) async throws {
        held.setIdentifier(identifier)
        try await take(held.machine.step == .start ? .done : .found(.present))
        if !held.machine.isRecovered { runs.metrics.submitted(after: .now - held.takenAt) }
        reporter.log(.info, "Flow run '\(flowRun.name)' submitted to infrastructure as '\(identifier)'")
    }

    /// Asks the backend what an interrupted start has created, until it can answer.
    func findInterrupted(_ memory: Memory) async throws {
        let job = try memory.job()
        try await mark.during(.starting) {
            while true {
                do {
                    switch try await backend.remains(of: job, identifier: nil) {
                    case .running(let identifier), .ended(let identifier): return try await noteStart(identifier)
                    case .neverStarted: return try await take(.found(.neverStarted))
                    case .outOfReach: return try await take(.found(.outOfReach))
                    }
                } catch let error as InfrastructureError {
                    services.logger.debug(
                        "Flow run '\(flowRun.name)': the result of its start is not known yet: \(error)")
                    try await Task.sleep(for: .seconds(2))
                }
            }
        }
    }

    // MARK: Ends without infrastructure

    /// Ends a run as cancelled that has no infrastructure yet.
    func cancelUnstarted() async throws {
        _ = try await proposePersistently(
            .cancelled("The flow run was cancelled before it was started."), force: true)
        try await take(.done)
    }

    /// Ends a run as cancelled whose deployment was deleted.
    func cancelOrphaned() async throws {
        let message = "Deployment \(flowRun.deploymentID ?? "") no longer exists, cancelled run."
        reporter.log(.warning, message)
        _ = try await proposePersistently(.cancelled(message), force: true)
        try await take(.done)
    }

    /// Reports a run as crashed that could not be configured or started.
    func crashUnstarted(_ memory: Memory) async throws {
        let cause = memory.failure.map { "\($0)" } ?? "unknown"
        reporter.log(.error, "Failed to submit flow run '\(flowRun.name)' to infrastructure: \(cause)")
        let proposal = StateProposal.crashed("Failed to submit flow run to infrastructure: \(cause)")
        switch try await proposePersistently(proposal) {
        case .rejected(let current, _)? where current["type"] == "CANCELLING": try await take(.refusedForCancellation)
        default: try await take(.done)
        }
    }

    /// Plans a run anew for other workers, unless something else has become of it.
    func giveBack() async throws {
        let current = try await readRun()
        let reading = RunMachine.Reading(current) { held.mayGoOn(in: $0.stateName, by: $0.transitionID) }
        if reading == .cancelling { return try await take(.read(.cancelling)) }
        if reading == .ours {
            let proposal = StateProposal(
                type: "SCHEDULED", name: "Scheduled",
                message: "Worker '\(served.workerName)' shut down before it started the flow run.",
                // Another time than before: the mark of this worker's claim stands for the old one.
                scheduledTime: max(held.due?.adding(seconds: 0.000_001) ?? .now, .now))
            _ = try await proposePersistently(proposal)
        }
        try await take(.done)
    }
}
