internal import BackendKit
internal import Concurrency
internal import JSON
internal import Logging
internal import PrefectAPI

/// The values that all flow runs of a pool share, and the two ways in which a run begins: from a poll or the ledger.
struct PoolRuns: Sendable {
    let backend: any Backend
    let live: ObservedValue<ServedPool>
    var services: WorkerServices
    let contexts: RunContextReader
    let registry: RunRegistry
    let state: PoolState
    let peers: PeerWorkers
    let metrics: PoolMetrics
    let late: LateProposals

    var served: ServedPool { live.value }
    var events: WorkerEvents {
        WorkerEvents(events: services.events, workerName: served.workerName, workerType: backend.traits.type)
    }

    /// The run's current entry for the ledger.
    func entry(of held: ActiveRun) -> LedgerEntry {
        held.entry(api: services.api.configuration.shownURL, pool: served.name, workerType: backend.traits.type)
    }

    /// Takes a run that a poll has returned through all of its steps.
    func execute(_ run: DueRun) async {
        let runs = forRun(run.held)
        guard let pool = state.pool else { return await services.ledger.remove(run.held.id) }
        await RunDriver(held: run.held, flowRun: run.flowRun, pool: pool, runs: runs).run()
    }

    /// Takes a run that an earlier process held through all of its steps.
    func recover(_ held: ActiveRun, _ entry: LedgerEntry) async {
        let runs = forRun(held)
        // The API may be unavailable for a long time, and both reads wait for it.
        guard let flowRun = try? await runs.services.persistently({ try await runs.read(entry) }),
            let pool = try? await runs.services.persistently({ try await runs.readPool(entry) })
        else {
            metrics.ended(.left)
            runs.services.logger.info(
                "Flow run '\(entry.flowRunName)' will be recovered at the next start of this worker")
            return
        }
        await RunDriver(held: held, flowRun: flowRun, pool: pool, runs: runs).run()
    }

    /// The same values for one run: each line in the worker's log names the run.
    private func forRun(_ held: ActiveRun) -> PoolRuns {
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
                    """
                    Flow run '\(entry.flowRunName)' belongs to the API '\(entry.api)': only a worker for that API can \
                    recover the run
                    """)
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
