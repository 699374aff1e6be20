internal import BackendKit
internal import FoundationEssentials
internal import Logging
internal import OrderedCollections
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

/// The values that all flow runs of a pool share, and the two ways in which a run begins: from a poll or the ledger.
final class PoolRuns: Sendable {
    let backend: any Backend
    let live: ObservedValue<ServedPool>
    let services: WorkerServices
    let contexts: RunContextReader
    let registry: RunRegistry
    let state: PoolState
    let peers: PeerWorkers
    let metrics: PoolMetrics
    let late: LateProposals

    init(
        backend: any Backend, live: ObservedValue<ServedPool>, services: WorkerServices, contexts: RunContextReader,
        registry: RunRegistry, state: PoolState, peers: PeerWorkers, metrics: PoolMetrics, late: LateProposals
    ) {
        self.backend = backend
        self.live = live
        self.services = services
        self.contexts = contexts
        self.registry = registry
        self.state = state
        self.peers = peers
        self.metrics = metrics
        self.late = late
    }

    var served: ServedPool { live.value }
    var events: WorkerEvents {
        WorkerEvents(events: services.events, workerName: served.workerName, workerType: backend.traits.type)
    }

    /// The run's current entry for the ledger.
    func entry(of active: ActiveRun) -> LedgerEntry {
        active.entry(api: services.api.configuration.shownURL, pool: served.name, workerType: backend.traits.type)
    }

    /// Takes a run that a poll has returned through all of its steps.
    func execute(_ run: DueRun) async {
        if let driver = driver(of: run) { await driver.run() } else { await forget(run.active) }
        end(run.active, run.slot)
    }

    /// Takes a run that an earlier process had through all of its steps.
    func recover(_ run: RecoveredRuns.RecoveredRun) async {
        // The API may be unavailable for a long time, and both reads wait for it.
        if let driver = try? await inChildTask({ try await self.driver(of: run.active, run.entry, run.slot) }) {
            await driver.run()
        } else {
            noteLeft(run.active)
        }
        end(run.active, run.slot)
    }

    // The following functions are not inlined: their values are not part of the memory of a run's task.

    @inline(never)
    private func noteLeft(_ active: ActiveRun) {
        metrics.ended(.left)
        services.logger(ofRun: active.id, named: active.name).info(
            "Flow run '\(active.name)' will be recovered at the next start of this worker")
    }

    @inline(never)
    private func forget(_ active: ActiveRun) async { await services.ledger.remove(active.id) }

    @inline(never)
    private func end(_ active: ActiveRun, _ slot: Slot) {
        registry.remove(active)
        slot.release()
    }

    @inline(never)
    private func driver(of run: DueRun) -> RunDriver? {
        RunDriver(active: run.active, details: run.details, slot: run.slot, pool: state.pool, runs: self)
    }

    private func driver(of active: ActiveRun, _ entry: LedgerEntry, _ slot: Slot) async throws -> RunDriver? {
        let flowRun = try await services.persistently { try await self.read(entry) }
        let pool = try await services.persistently { try await self.readPool(entry) }
        return RunDriver(active: active, details: RunDetails(flowRun), slot: slot, pool: pool, runs: self)
    }

    private func read(_ entry: LedgerEntry) async throws -> KnownRun {
        do {
            return KnownRun(
                try await services.api.readFlowRun(id: UUID(id: entry.flowRunID), effort: .persistent))
        } catch let error as APIError where error.isNotFound {
            guard entry.api == services.api.configuration.shownURL else {
                services.logger(ofRun: entry.flowRunID, named: entry.flowRunName).warning(
                    """
                    Flow run '\(entry.flowRunName)' belongs to the API '\(entry.api)': only a worker for that API can \
                    recover the run
                    """)
                throw CancellationError()
            }
            return KnownRun(id: entry.flowRunID, name: entry.flowRunName)
        } catch let error as APIError where error.isTooLarge {
            return KnownRun(id: entry.flowRunID, name: entry.flowRunName, unreadable: error.description)
        }
    }

    private func readPool(_ entry: LedgerEntry) async throws -> WorkPool {
        if let pool = state.pool { return pool }
        do {
            return try await services.api.readWorkPool(named: entry.pool, effort: .persistent)
        } catch let error as APIError where error.isNotFound {
            return WorkPool(unchecked: ["name": .string(entry.pool), "type": .string(entry.workerType)])
        }
    }
}
