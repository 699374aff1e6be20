internal import BackendKit
internal import FoundationEssentials
internal import Logging
internal import PrefectClient

/// Removes the infrastructure of a run that the API itself has ended, because its cancellation took too long. Any
/// worker of the pool does this when the API requests it, whichever worker started the run.
struct RunCleanup: Sendable {
    let runs: PoolRuns

    private var services: WorkerServices { runs.services }

    private typealias Reason = CleanupVerdict.Reason

    /// The kinds of cleanups that the worker requests. A backend whose infrastructure ends with its worker has nothing
    /// to remove.
    var kinds: [String] { runs.backend.traits.outlivesWorker ? [CleanupMessage.Kind.cancellingTimeout] : [] }

    /// Removes the infrastructure that a message names, and returns the result.
    func clean(_ message: CleanupMessage) async throws -> CleanupVerdict {
        services.logger.info("The API asks to clean up after flow run '\(message.flowRunID)'")
        if let active = runs.registry.run(message.flowRunID) { return try await end(active) }
        let flowRun: KnownRun
        do {
            flowRun = KnownRun(try await services.api.readFlowRun(id: UUID(id: message.flowRunID)))
        } catch let error as APIError where error.isNotFound {
            return .done
        }
        guard let pid = message.infrastructurePID, !pid.isEmpty else {
            return flowRun.infrastructurePID?.isEmpty ?? true ? .done : .release(reason: Reason.missingHandle)
        }
        guard let pool = runs.state.pool else { return .release(reason: Reason.contextUnavailable) }
        let jobs = RunJobs(
            runs: runs, flowRun: flowRun, pool: pool, claimID: APIClient.newTransitionID(), deploymentSince: .now,
            reporter: RunReporter(flowRun: flowRun, services: services, workerID: runs.state.workerID))
        let workload: any Workload
        do {
            workload = try await jobs.prepare().workload
        } catch is RunJobs.MissingDeployment {
            return .release(reason: Reason.contextUnavailable)
        } catch let error as APIError where error.isNotFound {
            return .release(reason: Reason.contextUnavailable)
        }
        return try await stop(InfrastructureIdentifier(rawValue: pid), workload)
    }

    /// Cancels, in the usual way, a run that this worker holds. Returns when the worker no longer holds it.
    private func end(_ active: ActiveRun) async throws -> CleanupVerdict {
        active.requestStop(.cancelled)
        while runs.registry.run(active.id) === active {
            try Task.checkCancellation()
            await active.waitForEnd(atMost: .seconds(1))
            if active.hasEnded { try await Task.sleep(for: .milliseconds(50)) }
        }
        return .done
    }

    private func stop(
        _ identifier: InfrastructureIdentifier, _ workload: any Workload
    ) async throws -> CleanupVerdict {
        do {
            try await workload.stop(identifier, grace: runs.served.stopGrace, reason: .cancelled)
            // No other worker removes what remains, such as a stopped container group.
            await workload.cleanUp(identifier)
            return .done
        } catch let error as InfrastructureError {
            switch error.kind {
            case .notFound: return .done
            case .notReachable, .unavailable: return .release(reason: Reason.infrastructureNotAvailable)
            case .refused: throw error
            }
        }
    }
}
