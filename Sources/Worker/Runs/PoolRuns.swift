internal import JSON
internal import Logging
internal import PrefectAPI

/// What all flow runs of a pool share, and the two ways in which a run begins: by a poll, or from the ledger.
struct PoolRuns<Backend: InfrastructureBackend>: Sendable {
    let backend: Backend
    let live: Live<ServedPool>
    var services: WorkerServices
    let contexts: RunContextReader
    let registry: RunRegistry
    let state: PoolState
    let contest: Contest
    let metrics: PoolMetrics
    let late: LateProposals

    var served: ServedPool { live.value }
    var events: WorkerEvents {
        WorkerEvents(events: services.events, workerName: served.workerName, workerType: Backend.workerType)
    }

    /// What the ledger holds of a run.
    func entry(of held: HeldRun) -> LedgerEntry {
        held.entry(api: services.api.configuration.shownURL, pool: served.name, workerType: Backend.workerType)
    }

    /// Follows a run that a poll has returned to its end.
    func execute(_ run: DueRun) async {
        let runs = forRun(run.held)
        guard let pool = state.pool else { return await services.ledger.remove(run.held.id) }
        await RunDriver(held: run.held, flowRun: run.flowRun, pool: pool, runs: runs).run()
    }

    /// Follows a run that an earlier process held to its end.
    func recover(_ held: HeldRun, _ entry: LedgerEntry) async {
        let runs = forRun(held)
        // What the run is made of comes from the API, which may be away for long.
        guard let flowRun = try? await runs.services.persistently({ try await runs.read(entry) }),
            let pool = try? await runs.services.persistently({ try await runs.readPool(entry) })
        else {
            metrics.ended(.left)
            runs.services.logger.info("Flow run '\(entry.flowRunName)' is left to the next start of this worker")
            return
        }
        await RunDriver(held: held, flowRun: flowRun, pool: pool, runs: runs).run()
    }

    /// Each line in the worker's log says which run it is about.
    private func forRun(_ held: HeldRun) -> PoolRuns {
        var runs = self
        runs.services = services.forRun(held.id, named: held.name)
        return runs
    }

    private func read(_ entry: LedgerEntry) async throws -> FlowRun {
        do {
            return try await services.api.readFlowRun(id: entry.flowRunID, effort: .persistent)
        } catch let error as APIError where error.isNotFound {
            guard entry.api == services.api.configuration.shownURL else {
                services.logger.warning(
                    "Flow run '\(entry.flowRunName)' belongs to the API '\(entry.api)' and is left to a worker for that one"
                )
                throw CancellationError()
            }
            return FlowRun(id: entry.flowRunID, name: entry.flowRunName)
        } catch let error as APIError where error.isTooLarge {
            return FlowRun(id: entry.flowRunID, name: entry.flowRunName, unreadable: error.description)
        }
    }

    private func readPool(_ entry: LedgerEntry) async throws -> WorkPool {
        if let pool = state.pool { return pool }
        do {
            return try await services.api.readWorkPool(named: entry.pool, effort: .persistent)
        } catch let error as APIError where error.isNotFound {
            return WorkPool(name: entry.pool, type: entry.workerType)
        }
    }
}
