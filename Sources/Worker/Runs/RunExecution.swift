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
    let flowRun: FlowRun
    let backend: Backend
    let pool: WorkPool
    let live: Live<ServedPool>
    let services: WorkerServices
    let contexts: RunContextReader
    let reporter: RunReporter
    let workerID: String?
    let contest: Contest
    let metrics: PoolMetrics
    let late: LateProposals
    /// Whether an earlier process has begun with it, so that the API may know more of it than this one.
    var isRecovered = false

    var served: ServedPool { live.value }
    var api: APIClient { services.api }
    var events: WorkerEvents {
        WorkerEvents(events: services.events, workerName: served.workerName, workerType: Backend.workerType)
    }

    /// What the worker needs to know of a run that it has claimed.
    struct Prepared: Sendable {
        let job: Job<Backend.Configuration>
        let related: [JSONValue]
        let relatedToCancellation: [JSONValue]
    }

    /// Takes the run through all of its steps.
    func run() async {
        await follow {
            guard services.shutdown.isServing else { return }
            guard try await services.span("worker.claim", { try await claim() }) else { return }
            try await goOn()
        }
    }

    /// Takes a run that is this worker's through the steps that are left.
    func goOn() async throws {
        let trace = services.currentTrace
        let configured = try await services.span("worker.configure") { try await configure(goingOnWith: trace) }
        guard let prepared = configured else { return }
        let started = try await services.span("worker.start") { try await submit(prepared) }
        guard let (identifier, submitted) = started else { return }
        try await services.span("worker.watch") {
            try await accompany(identifier, prepared, submitted: submitted)
        }
    }

    /// Does what is to be done with the run, and takes it out of the ledger when that has been done.
    func follow(_ steps: () async throws -> Void) async {
        metrics.ended(await services.span(ofRun: flowRun, pool: served.name) { await outcome(of: steps) })
    }

    private func outcome(of steps: () async throws -> Void) async -> RunOutcome {
        do {
            try await steps()
            await letGo()
            return held.outcome
        } catch is CancellationError {
            // The worker leaves: the next one finds the run in the ledger.
            services.logger.info(
                "Flow run '\(flowRun.name)' is left to the next start of this worker at stage '\(held.stage.rawValue)'")
            return .left
        } catch {
            reporter.log(.error, "Flow run '\(flowRun.name)' could not be followed any further: \(error)")
            return .abandoned
        }
    }

    /// Takes the run out of the ledger, at once or when no proposal of it can come late any more.
    private func letGo() async {
        var entry = entry
        entry.stage = .reported
        guard late.watch(entry) else { return await services.ledger.remove(held.id) }
        await services.ledger.record([entry])
    }

    /// Notes how far the run is, and writes it down.
    func enter(_ stage: RunStage) async {
        held.advance(to: stage)
        if stage == .running { held.forgetDeaths() }
        await services.ledger.record([entry])
    }

    /// What the ledger holds of the run.
    var entry: LedgerEntry {
        held.entry(api: api.configuration.shownURL, pool: served.name, workerType: Backend.workerType)
    }

    // MARK: What every step may need

    /// The run as it is now; `nil` when it was deleted. Its state is the one that it would have without proposals that were
    /// carried out late; a run that is too large to be read has the last of its states.
    func readRun() async throws -> FlowRun? {
        do {
            let run = try await persistently { try await api.readFlowRun(id: flowRun.id, effort: .persistent) }
            guard held.isDoubtful, let transition = run.transitionID, held.transitions.contains(transition),
                let overwritten = held.transitions.overwrittenState(in: try await readHistory())
            else { return run }
            return run.inState(overwritten)
        } catch let error as APIError where error.isNotFound {
            services.logger.info("Flow run '\(flowRun.name)' was deleted meanwhile")
            return nil
        } catch let error as APIError where error.isTooLarge {
            let run = FlowRun(id: flowRun.id, name: flowRun.name, unreadable: error.description)
            return try await readHistory().max { $0.timestamp < $1.timestamp }.map(run.inState)
        }
    }

    /// All states that the run had, in no particular order.
    func readHistory() async throws -> [RecordedState] {
        try await persistently { try await api.readStates(ofFlowRun: flowRun.id, effort: .persistent) }
    }

    /// Proposes a state that must be said, for as long as it takes, without the secrets that its message may hold. A run
    /// that is gone or has ended by itself is fine.
    func proposePersistently(_ proposal: StateProposal, force: Bool = false) async throws -> ProposalOutcome? {
        var proposal = proposal
        proposal.message = proposal.message.map(reporter.redact)
        do {
            let redacted = proposal
            return try await persistently {
                try await api.propose(redacted, forFlowRun: flowRun.id, force: force, effort: .persistent)
            }
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

    /// ``WorkerServices/persistently(_:)``
    func persistently<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        try await services.persistently(body)
    }
}
