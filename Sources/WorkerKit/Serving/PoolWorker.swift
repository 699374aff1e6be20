package import BackendKit
internal import JobTemplates
internal import Logging
package import PrefectClient
package import PrefectConcurrency
internal import PrefectJSON

/// Serves one work pool with one backend. It stays in contact with the API, takes the runs that are due and follows
/// each of them to its end.
package struct PoolWorker: Sendable {
    /// The pool with its current settings.
    package let live: ObservedValue<ServedPool>
    /// The worker's knowledge of the pool, for probes.
    package let state: PoolState
    /// The runs in flight.
    package let registry: RunRegistry
    /// The slots of the pool's limit.
    package let slots: SlotLimiter
    /// The metrics of the pool.
    package let metrics: PoolMetrics

    private let backend: any Backend
    private let services: WorkerServices
    private let justRead: WorkPool?
    let runs: PoolRuns
    private let channel: PoolChannel
    private let hints = PollHints()
    private let cancellations: CancellationWatch
    /// Whether the worker still takes runs of this pool.
    private let taking: ShutdownSignal
    private let onRefusal: @Sendable (String) -> Void

    /// A worker for a pool.
    ///
    /// - Parameters:
    ///   - backend: The infrastructure for the pool's runs; other pools of the type may use it too.
    ///   - slots: The slots that the pools of the daemon share, if they do.
    ///   - justRead: The pool, if it was read a moment ago.
    ///   - onRefusal: Called with the reason when the API permanently refuses a request that the worker needs for a
    ///     pool that is not known yet. If nothing is given, the whole worker ends then.
    package init(
        served: ServedPool, backend: any Backend, services: WorkerServices, within slots: SlotLimiter? = nil,
        justRead: WorkPool? = nil, onRefusal: (@Sendable (String) -> Void)? = nil
    ) {
        self.onRefusal = onRefusal ?? { services.shutdown.refuse($0) }
        live = ObservedValue(served)
        registry = RunRegistry(workerName: served.workerName)
        self.backend = backend
        taking = ShutdownSignal(within: services.shutdown)
        state = PoolState(infrastructureUnavailableReason: { backend.unavailableReason })
        self.services = services
        self.slots = SlotLimiter(limit: served.limit, within: slots)
        metrics = PoolMetrics(pool: served.name, factory: services.metrics)
        self.justRead = justRead
        runs = PoolRuns(
            backend: backend, live: live, services: services, contexts: RunContextReader(api: services.api),
            registry: registry, state: state,
            peers: PeerWorkers(
                pool: served.name, workerName: served.workerName, api: services.api, logger: services.logger),
            metrics: metrics, late: LateProposals(services: services, state: state))
        let cleanup = RunCleanup(runs: runs)
        channel = PoolChannel(
            live: live, workerType: backend.traits.type, defaultTemplate: backend.traits.baseJobTemplate,
            services: services, state: state, cleanup: (cleanup.kinds, cleanup.clean))
        cancellations = CancellationWatch(live: live, services: services, registry: registry)
    }

    private var synchronizer: PoolSynchronizer {
        PoolSynchronizer(
            live: live, workerType: backend.traits.type, defaultTemplate: backend.traits.baseJobTemplate,
            services: services, state: state, peers: runs.peers, channel: channel,
            onServable: { [hints] in hints.update { $0.ask() } },
            onRefusal: onRefusal,
            reasonNotToCreate: { [backend] template in
                guard !backend.traits.bringsInfrastructure(template) else { return nil }
                return await backend.check().problem?.detail
            })
    }

    /// The connection of the pool's worker channel.
    package var connection: Connection { channel.connection }

    /// Serves the pool and the runs of an earlier process, until the worker shuts down. A pool that is served once is
    /// served until the runs of one poll have ended. Returns when no run needs more work.
    package func run(_ left: RecoveredRuns) async {
        let caller = APIClient.Caller { [name = served.workerName, state] in
            APIClient.Attribution(workerName: name, workerID: state.workerID)
        }
        await APIClient.$caller.withValue(caller) { await serve(left) }
    }

    private func serve(_ left: RecoveredRuns) async {
        let events = WorkerEvents(
            events: services.events, workerName: served.workerName, workerType: backend.traits.type)
        await withTaskGroup(of: Void.self) { group in
            let isSynchronized = await isSynchronizedFirst()
            let started = ObservedValue<EventCreate?>(nil)
            @Sendable func announce() {
                started.update { $0 = events.started(pool: state.pool) }
                services.logger.info("Worker '\(served.workerName)' started!")
            }
            if state.isServable {
                announce()
            } else {
                group.addTask {
                    await state.waitUntilServable()
                    if !Task.isCancelled { announce() }
                }
            }
            group.addTask { await synchronizer.run(afterFirst: isSynchronized) }
            group.addTask { await cancellations.run() }
            group.addTask { await runs.late.run() }
            await poll(resuming: left)
            group.cancelAll()
            await runs.late.look()
            guard let started = started.value else { return }
            events.stopped(pool: state.pool, after: started)
            services.logger.info("Worker '\(served.workerName)' stopped!")
        }
    }

    /// Whether the pool can be served at the beginning. A worker that shuts down meanwhile does not wait for the
    /// answer.
    private func isSynchronizedFirst() async -> Bool {
        let known = justRead
        return (try? await taking.whileServing { await synchronizer.synchronize(justRead: known) }) ?? false
    }

    /// Polls, runs the returned runs, and resumes the runs of an earlier process. Returns when polling and all runs
    /// have ended.
    private func poll(resuming left: RecoveredRuns) async {
        let (work, queue) = AsyncStream.makeStream(of: Work.self)
        let poller = PollLoop(
            live: live, services: services, state: state, slots: slots, registry: registry, metrics: metrics,
            hints: hints, workerType: backend.traits.type, taking: taking, start: { queue.yield(.due($0)) })
        await withDiscardingTaskGroup { group in
            group.addTask {
                if served.runsOnce { await poller.once() } else { await poller.run() }
                queue.finish()
                // After the retirement of a pool, other pools still start runs with the backend.
                if !services.shutdown.isServing { await backend.releaseSpares() }
            }
            group.addTask { await followShutdown() }
            if backend.traits.startsClaimOnce, !served.runsOnce {
                let claims = OrphanedClaims(runs: runs, slots: slots, taking: taking)
                group.addTask {
                    await claims.run { run in
                        if case .enqueued = queue.yield(.orphaned(run)) { true } else { false }
                    }
                }
            }
            await withDiscardingTaskGroup { [runs] inFlight in
                for run in left.runs { inFlight.addTask { await runs.recover(run) } }
                for await next in work {
                    switch next {
                    case .due(let run): inFlight.addTask { await runs.execute(run) }
                    case .orphaned(let run): inFlight.addTask { await runs.recover(run) }
                    }
                }
            }
            // All runs have ended. The wait for the shutdown is the only remaining task.
            group.cancelAll()
        }
    }

    /// A run that the worker takes.
    private enum Work: Sendable {
        case due(DueRun)
        case orphaned(RecoveredRuns.RecoveredRun)
    }

    // MARK: Changes

    /// Changes how the pool is served from now on; runs in flight are not affected.
    package func change(_ change: (inout ServedPool) -> Void) {
        let (before, after) = live.update { served in
            let before = served
            change(&served)
            return (before, served)
        }
        slots.setLimit(after.limit)
        // The next synchronisation creates queues that do not exist.
        if before.queues != after.queues { state.setLostQueues(true) }
        hints.update { $0.ask() }
    }

    /// Takes no more runs of the pool. Those in flight are watched to their end; then ``run(_:)`` returns.
    package func retire() { taking.advance(to: .draining) }

    // MARK: Notifications

    /// Acts on a notification about a run, if it concerns this worker.
    package func take(_ notification: RunNotification) {
        switch notification {
        case .scheduled(let id, let queue):
            guard !registry.contains(id), state.isServable, state.pool?.isPaused == false else { return }
            if let queue, !served.queues.isEmpty, !served.queues.contains(queue) { return }
            hints.update { $0.announce(id) }
        case .cancelling(let id):
            if registry.contains(id) { cancellations.lookNow() }
        }
    }

    /// Looks up the changes for which notifications may be missing.
    package func catchUp() {
        hints.update { $0.ask() }
        cancellations.lookNow()
    }

    /// Opens connections at once that wait for their next attempt.
    package func reconnect() { channel.retryNow() }

    // MARK: Recovery

    /// Registers the orphaned runs of an earlier process, before the first poll could return one of them.
    package func restoreRuns() async -> RecoveredRuns {
        func isOfPool(_ entry: LedgerEntry) -> Bool {
            entry.pool == served.name && entry.workerType == backend.traits.type
        }
        for entry in services.ledger.uncertain.filter(isOfPool) where !runs.late.watch(entry) {
            await services.ledger.remove(entry.flowRunID)
        }
        let entries = services.ledger.entries.filter(isOfPool)
        if !entries.isEmpty {
            services.logger.info("Found \(entries.count) flow runs of an earlier process of this worker")
        }
        var left = RecoveredRuns()
        for entry in entries {
            left.runs.append(.init(entry: entry, active: registry.restore(entry), slot: slots.takeBeyondLimit()))
        }
        let running = left.runs.filter { $0.entry.stage == .running && !$0.entry.isToBeGivenUp }
        await adopt(running.filter { $0.entry.deaths == 0 })
        // One by one, so that a death of the process identifies one of them as its cause.
        for run in running where run.entry.deaths > 0 { await adopt([run]) }
        return left
    }

    /// Has the backend watch infrastructure again, and notes in the ledger that this work is under way.
    private func adopt(_ left: [RecoveredRuns.RecoveredRun]) async {
        func note() async {
            await services.ledger.record(left.map { runs.entry(of: $0.active) })
        }
        for run in left { run.active.begin(.recovering) }
        await note()
        for run in left {
            guard let identifier = run.entry.identifier else { continue }
            await backend.adopt(identifier, flowRunID: run.active.id, flowRunName: run.active.name)
        }
        for run in left { _ = run.active.endWork() }
        await note()
    }

    // MARK: Shutdown

    /// Passes runs that outlive the worker to the next process. Stops the other runs when the shutdown reaches
    /// ``ShutdownSignal/Phase/stopping``. A run that is handed over after that detects the shutdown itself.
    private func followShutdown() async {
        await services.shutdown.wait(for: .draining)
        guard !services.shutdown.isServing else { return }
        if backend.traits.outlivesWorker || served.leavesRunsOnExit || services.shutdown.refusal != nil {
            for active in registry.all { active.requestLeave() }
            return
        }
        await services.shutdown.wait(for: .stopping)
        guard services.shutdown.phase >= .stopping else { return }
        for active in registry.all { active.requestStop(.shutdown) }
    }
}
