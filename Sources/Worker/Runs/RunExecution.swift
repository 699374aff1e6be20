internal import JSON
internal import JobTemplates
internal import Logging
internal import OrderedCollections
internal import PrefectAPI

/// One flow run from the poll that brought it to the last thing that is to be said about it.
///
/// The steps are in the order in which they are taken: claim, configure, submit, watch, report. Whatever goes wrong is
/// the run's own trouble: nothing is thrown out of ``run()``.
struct RunExecution<Backend: InfrastructureBackend>: Sendable {
    let held: HeldRun
    let backend: Backend
    let pool: WorkPool
    let served: ServedPool
    let services: WorkerServices
    let contexts: RunContextReader
    let reporter: RunReporter
    let workerID: String?
    let contest: Contest

    var flowRun: FlowRun { held.flowRun }
    var api: APIClient { services.api }
    var events: WorkerEvents {
        WorkerEvents(events: services.events, workerName: served.workerName, workerType: Backend.workerType)
    }

    /// What the worker needs to know of a run that it has claimed.
    struct Prepared: Sendable {
        let job: Job<Backend.Configuration>
        let related: [JSONValue]
    }

    /// Takes the run through all of its steps.
    func run() async {
        guard services.shutdown.isServing else { return }
        do {
            guard try await claim() else { return }
            guard let prepared = try await configure() else { return }
            guard let (identifier, submitted) = try await submit(prepared) else { return }
            let status = try await watch(identifier, prepared)
            try await report(status, of: identifier, prepared, submitted: submitted)
        } catch is CancellationError {
            // The worker leaves: what is left undone here is found again by whoever looks at the run's state.
            services.logger.warning("Flow run '\(flowRun.name)' was left behind at stage '\(held.stage.rawValue)'")
        } catch {
            reporter.log(.error, "Flow run '\(flowRun.name)' could not be followed any further: \(error)")
        }
    }

    // MARK: What every step may need

    /// The run as it is now; `nil` when it was deleted.
    func readRun() async throws -> FlowRun? {
        do {
            return try await api.readFlowRun(id: flowRun.id, effort: .persistent)
        } catch let error as APIError where error.isNotFound {
            services.logger.info("Flow run '\(flowRun.name)' was deleted meanwhile")
            return nil
        }
    }

    /// Proposes a state that must be said, for as long as it takes, without the secrets that its message may hold. A run
    /// that is gone or has ended by itself is fine.
    func proposePersistently(_ proposal: StateProposal, force: Bool = false) async throws -> ProposalOutcome? {
        var proposal = proposal
        proposal.message = proposal.message.map(reporter.redact)
        do {
            return try await api.propose(proposal, forFlowRun: flowRun.id, force: force, effort: .persistent)
        } catch let error as APIError {
            if error.isNotFound {
                services.logger.info("Flow run '\(flowRun.name)' was deleted meanwhile")
            } else {
                services.logger.error(
                    "The state '\(proposal.name)' of flow run '\(flowRun.name)' was refused: \(error)")
            }
            return nil
        }
    }
}
