internal import BackendKit
internal import Logging
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

// The steps from a claimed run to its infrastructure, and the ends of runs without infrastructure.
extension RunDriver {
    /// Reads the deployment and the flow, renders the template and prepares the backend's configuration.
    func configure(_ memory: Memory) async throws {
        do {
            memory.prepared = try await jobs.prepare(continuing: memory.trace, mark: mark)
            try await take(.done)
        } catch is RunJobs.MissingDeployment {
            try await take(.deploymentDeleted)
        } catch let error as CancellationError {
            throw error
        } catch {
            memory.failure = error
            try await take(.failed)
        }
    }

    // MARK: Submitting

    /// Proposes Submitting. The result shows whether the run is still this worker's and may start.
    ///
    /// A server on SQLite may accept the claims of two workers that arrive within the same moment. If both continue,
    /// the server accepts Submitting from the first worker. It refuses the other worker's Submitting, and that worker
    /// reads which of them has the run. Only a late proposal could be accepted over a newer state. So the worker reads
    /// the run before a late proposal.
    func submit(_ memory: Memory) async throws {
        if memory.submitted == nil { memory.submitted = memory.prepared.map { events.submitted(related: $0.related) } }
        if active.timeSinceConfirmation > Self.confirmationLifetime { return try await take(.stale) }
        memory.submissions += 1
        do {
            let outcome = try await api.propose(
                .submitting, forFlowRun: flowRun.uuid, transitionID: active.transitions.submission, effort: .once,
                onUncertainty: active.noteUncertainty)
            guard case .accepted = outcome else { return try await take(.refused) }
            noteShutdown()
            try await take(.done)
        } catch let error as APIError {
            if error.isNotFound {
                reporter.log(.info, "Flow run '\(flowRun.id)' was deleted before it was started")
                return try await take(.deleted)
            }
            logger.debug("Flow run '\(flowRun.name)': proposing Submitting failed: \(error)")
            // Submitting is only the name of a state, so the run must not fail for lack of it.
            let again = error.isTransient && memory.submissions < Self.submissionAttempts
            if error.isTransient { try await api.pause(error.retryAfter ?? .milliseconds(Int.random(in: 500...1500))) }
            try await take(.unanswered(again: again))
        }
    }

    private static var submissionAttempts: Int { 4 }
    /// How long after a confirmation no other worker can have claimed and advanced the run.
    private static var confirmationLifetime: Duration { .milliseconds(500) }

    /// Reads whether the run is still pending and this worker may start it.
    func readToContinue() async throws -> RunMachine.Event {
        let current = try await readRun()
        let reading = RunMachine.Reading(current) { active.mayContinue(in: $0.stateName, by: $0.transitionID) }
        switch reading {
        case .ours:
            active.confirm()
            noteShutdown()
        case .deleted, .cancelling: break
        default:
            // It has ended, waits for another time, or is another worker's.
            let name = current?.stateName ?? ""
            reporter.log(.info, "Flow run '\(flowRun.id)' was not started: its state is '\(name)' now")
        }
        return .read(reading)
    }

    /// Requests a stop of the run if the worker shuts down. Such a worker starts nothing, whether or not a stop was
    /// requested.
    private func noteShutdown() {
        if !services.shutdown.isServing { active.requestStop(.shutdown) }
    }

    // MARK: Starting

    /// Creates the infrastructure, and records it in the ledger at once.
    func start(_ memory: Memory) async throws {
        let workload = try memory.workload()
        do {
            try await mark.during(.starting) {
                if let identifier = try await create(workload) {
                    try await noteStart(identifier)
                } else {
                    try await take(.interrupted)
                }
            }
        } catch let error as CancellationError {
            throw error
        } catch let error as ActiveRun.IllegalEvent {
            throw error
        } catch {
            if let code = (error as? InfrastructureError)?.exitCode {
                reporter.log(.info, ExitHint(code: code).resolution)
            }
            memory.failure = error
            try await take(.failed)
        }
    }

    /// Creates the infrastructure, which may take long. Returns `nil` when a stop of the run is requested before that
    /// is done.
    private func create(_ workload: any Workload) async throws -> InfrastructureIdentifier? {
        do {
            return try await withThrowingTaskGroup(of: InfrastructureIdentifier?.self) { group in
                group.addTask { try await workload.start() }
                group.addTask {
                    await active.waitForRequest()
                    return nil
                }
                while let result = try await group.next() {
                    group.cancelAll()
                    if let identifier = result { return identifier }
                }
                throw CancellationError()
            }
        } catch let error as CancellationError {
            guard active.stopReason != nil, !active.isToBeLeft else { throw error }
            return nil
        }
    }

    private func noteStart(_ identifier: InfrastructureIdentifier) async throws {
        active.setIdentifier(identifier)
        try await take(active.machine.step == .start ? .done : .found(.present))
        if !active.machine.isRecovered { runs.metrics.submitted(after: .now - active.takenAt) }
        if let claimedAt = active.claimedAt { services.recent.started(after: .now - claimedAt) }
        reporter.log(.info, "Flow run '\(flowRun.name)' submitted to infrastructure as '\(identifier)'")
    }

    /// Asks the backend which infrastructure an interrupted start has created, until the backend can answer.
    func findInterrupted(_ memory: Memory) async throws {
        let workload = try memory.workload()
        try await mark.during(.starting) {
            let found = try await retrying {
                try await workload.recover(nil)
            } pause: { (error: InfrastructureError, _) in
                logger.debug("Flow run '\(flowRun.name)': the result of its start is not known yet: \(error)")
                return .seconds(2)
            }
            switch found {
            case .present(let identifier), .ended(let identifier): try await noteStart(identifier)
            case .neverStarted: try await take(.found(.neverStarted))
            case .outOfReach: try await take(.found(.outOfReach))
            }
        }
    }

    // MARK: Ends without infrastructure

    /// Sets Cancelled for a run that has no infrastructure yet.
    func cancelUnstarted() async throws {
        _ = try await proposePersistently(
            .cancelled("The flow run was cancelled before it was started."), force: true)
        try await take(.done)
    }

    /// Sets Cancelled for a run whose deployment was deleted.
    func cancelWithoutDeployment() async throws {
        let message = "Deployment \(flowRun.deploymentID ?? "") no longer exists, cancelled run."
        reporter.log(.warning, message)
        _ = try await proposePersistently(.cancelled(message), force: true)
        try await take(.done)
    }

    /// Reports that a run has crashed, because it could not be configured or started.
    func crashUnstarted(_ memory: Memory) async throws {
        let cause = memory.failure.map { "\($0)" } ?? "unknown"
        reporter.log(.error, "Failed to submit flow run '\(flowRun.name)' to infrastructure: \(cause)")
        switch try await proposeCrash("Failed to submit flow run to infrastructure: \(cause)") {
        case .cancelling: try await take(.refusedForCancellation)
        case .accepted, .refused: try await take(.done)
        }
    }

    /// Reschedules a run for other workers, unless this worker may no longer start it.
    func giveBack() async throws {
        let current = try await readRun()
        let reading = RunMachine.Reading(current) { active.mayContinue(in: $0.stateName, by: $0.transitionID) }
        if reading == .cancelling { return try await take(.read(.cancelling)) }
        if reading == .ours {
            let proposal = StateCreate(
                type: "SCHEDULED", name: "Scheduled",
                message: "Worker '\(served.workerName)' shut down before it started the flow run.",
                // The time must differ from the old one, to which the mark of this worker's claim belongs.
                scheduledTime: max(active.due?.adding(seconds: 0.000_001) ?? .now, .now))
            _ = try await proposePersistently(proposal)
        }
        try await take(.done)
    }
}
