internal import JSON
internal import JobTemplates
internal import Logging
public import PrefectAPI

/// Serves one work pool with one backend: keeps in touch with the API, takes the runs that are due and follows each of
/// them to its end.
public struct PoolWorker<Backend: InfrastructureBackend>: Sendable {
    /// The pool and how it is served, as the settings say at the moment.
    public let live: Live<ServedPool>
    /// What is known of the pool; for probes.
    public let state: PoolState
    /// The runs in flight.
    public let registry = RunRegistry()
    /// The slots of the pool's limit.
    public let slots: SlotLimiter
    /// What is measured of the pool.
    public let metrics: PoolMetrics

    private let backend: Backend
    private let services: WorkerServices
    private let justRead: WorkPool?
    let runs: PoolRuns<Backend>
    private let channel: PoolChannel
    private let hints = PollHints()
    private let cancellations: CancellationWatch
    /// Whether runs of this pool are still taken.
    private let taking: ShutdownSignal
    private let onRefusal: @Sendable (String) -> Void

    /// A worker for a pool.
    ///
    /// - Parameters:
    ///   - backend: What the pool's runs run on; other pools of the type may use it too.
    ///   - slots: The slots that the pools of the daemon share, when they do.
    ///   - justRead: The pool as it was read a moment ago, when it was.
    ///   - onRefusal: Is called with the reason when the API refuses for good what is needed of a pool that is not known yet.
    ///     The whole worker ends then if nothing is given.
    public init(
        served: ServedPool, backend: Backend, services: WorkerServices, within slots: SlotLimiter? = nil,
        justRead: WorkPool? = nil, onRefusal: (@Sendable (String) -> Void)? = nil
    ) {
        self.onRefusal = onRefusal ?? { services.shutdown.refuse($0) }
        live = Live(served)
        self.backend = backend
        taking = ShutdownSignal(within: services.shutdown)
        state = PoolState(infrastructureTrouble: { backend.trouble })
        self.services = services
        self.slots = SlotLimiter(limit: served.limit, within: slots)
        metrics = PoolMetrics(pool: served.name, factory: services.metrics)
        self.justRead = justRead
        runs = PoolRuns(
            backend: backend, live: live, services: services, contexts: RunContextReader(api: services.api),
            registry: registry, state: state,
            contest: Contest(
                pool: served.name, workerName: served.workerName, api: services.api, logger: services.logger),
            metrics: metrics, late: LateProposals(services: services, state: state))
        let cleanup = RunCleanup(runs: runs)
        channel = PoolChannel(
            live: live, workerType: Backend.workerType, defaultTemplate: Backend.defaultBaseJobTemplate,
            services: services, state: state, cleanup: (RunCleanup<Backend>.kinds, cleanup.clean))
        cancellations = CancellationWatch(live: live, services: services, registry: registry)
    }

    private var synchronizer: PoolSynchronizer {
        PoolSynchronizer(
            live: live, workerType: Backend.workerType, defaultTemplate: Backend.defaultBaseJobTemplate,
            services: services, state: state, contest: runs.contest, channel: channel,
            onServable: { [hints] in hints.update { $0.ask() } },
            onRefusal: onRefusal,
            reasonNotToCreate: { [backend] template in
                guard !Backend.bringsInfrastructure(template) else { return nil }
                return await backend.check().problem?.detail
            })
    }

    /// How the pool's worker channel is.
    public var connection: Connection { channel.connection }

    /// Serves the pool, the runs that were left included, until the worker shuts down, or, for a pool that is served once,
    /// until the runs of one poll have ended. Returns when every run has been dealt with.
    public func run(_ left: LeftRuns) async {
        let caller = APIClient.Caller { [name = served.workerName, state] in
            APIClient.Attribution(workerName: name, workerID: state.workerID)
        }
        await APIClient.$caller.withValue(caller) { await serve(left) }
    }

    private func serve(_ left: LeftRuns) async {
        let events = WorkerEvents(
            events: services.events, workerName: served.workerName, workerType: Backend.workerType)
        await withTaskGroup(of: Void.self) { group in
            let isSynchronized = await isSynchronizedFirst()
            let started = Live<Event?>(nil)
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
            await poll(goingOnWith: left)
            group.cancelAll()
            await runs.late.look()
            guard let started = started.value else { return }
            events.stopped(pool: state.pool, after: started)
            services.logger.info("Worker '\(served.workerName)' stopped!")
        }
    }

    /// Whether the pool can be served at the beginning; a worker that shuts down meanwhile does not wait for the answer.
    private func isSynchronizedFirst() async -> Bool {
        let known = justRead
        return (try? await taking.whileServing { await synchronizer.synchronize(justRead: known) }) ?? false
    }

    /// Polls and runs what comes, and goes on with what was left; returns when polling has ended and no run is left.
    private func poll(goingOnWith left: LeftRuns) async {
        let (due, hand) = AsyncStream.makeStream(of: DueRun.self)
        let poller = PollLoop(
            live: live, services: services, state: state, slots: slots, registry: registry, metrics: metrics,
            hints: hints, workerType: Backend.workerType, taking: taking, hand: { hand.yield($0) })
        await withDiscardingTaskGroup { group in
            group.addTask {
                if served.runsOnce { await poller.once() } else { await poller.run() }
                hand.finish()
            }
            group.addTask { await followShutdown() }
            await withDiscardingTaskGroup { inFlight in
                for run in left.runs { inFlight.addTask { await recover(run) } }
                for await run in due { inFlight.addTask { await execute(run) } }
            }
            // All runs have ended; the watch for the shutdown is the only task left.
            group.cancelAll()
        }
    }

    private func execute(_ run: DueRun) async {
        defer {
            registry.remove(run.held)
            run.slot.release()
        }
        await runs.execute(run)
    }

    // MARK: Changes

    /// Serves the pool in another way from now on; runs in flight are not touched.
    public func change(_ change: (inout ServedPool) -> Void) {
        let (before, after) = live.update { served in
            let before = served
            change(&served)
            return (before, served)
        }
        slots.setLimit(after.limit)
        // Queues that do not exist are created by the next synchronisation.
        if before.queues != after.queues { state.setLostQueues(true) }
        hints.update { $0.ask() }
    }

    /// Takes no more runs of the pool. Those in flight are watched to their end; then ``run(_:)`` returns.
    public func retire() { taking.advance(to: .draining) }

    // MARK: News

    /// Acts on what has happened to a run, if it concerns this worker.
    public func take(_ news: RunNews) {
        switch news {
        case .scheduled(let id, let queue):
            guard !registry.contains(id), state.isServable, state.pool?.isPaused == false else { return }
            if let queue, !served.queues.isEmpty, !served.queues.contains(queue) { return }
            hints.update { $0.announce(id) }
        case .cancelling(let id):
            if registry.contains(id) { cancellations.lookNow() }
        }
    }

    /// Looks for what has happened while no news came.
    public func catchUp() {
        hints.update { $0.ask() }
        cancellations.lookNow()
    }

    /// Opens connections at once that wait for their next attempt.
    public func reconnect() { channel.retryNow() }

    // MARK: Recovery

    /// Takes hold of the runs that an earlier process has left, before the first poll could return one of them.
    public func takeUp() async -> LeftRuns {
        func isOfPool(_ entry: LedgerEntry) -> Bool {
            entry.pool == served.name && entry.workerType == Backend.workerType
        }
        for entry in services.ledger.doubtful.filter(isOfPool) where !runs.late.watch(entry) {
            await services.ledger.remove(entry.flowRunID)
        }
        let entries = services.ledger.entries.filter(isOfPool)
        if !entries.isEmpty {
            services.logger.info("Found \(entries.count) flow runs of an earlier process of this worker")
        }
        var left = LeftRuns()
        for entry in entries {
            left.runs.append(.init(entry: entry, held: registry.restore(entry), slot: slots.takeBeyondLimit()))
        }
        let running = left.runs.filter { $0.entry.stage == .running && !$0.entry.isToBeGivenUp }
        await adopt(running.filter { $0.entry.deaths == 0 })
        // One by one, so that a death of the process blames one of them.
        for run in running where run.entry.deaths > 0 { await adopt([run]) }
        return left
    }

    /// Has infrastructure watched again, with a note in the ledger that this is being done.
    private func adopt(_ left: [LeftRuns.LeftRun]) async {
        func note() async {
            await services.ledger.record(left.map { runs.entry(of: $0.held) })
        }
        for run in left { run.held.begin(.recovering) }
        await note()
        for run in left {
            guard let identifier = run.entry.identifier else { continue }
            await backend.adopt(identifier, flowRunID: run.held.id, flowRunName: run.held.name)
        }
        for run in left { _ = run.held.endWork() }
        await note()
    }

    private func recover(_ run: LeftRuns.LeftRun) async {
        defer {
            registry.remove(run.held)
            run.slot.release()
        }
        await runs.recover(run.held, run.entry)
    }

    // MARK: Shutdown

    /// Leaves the runs that outlive the worker, and stops the others when they have been waited for long enough. A run
    /// that is handed over after that finds out by itself.
    private func followShutdown() async {
        await services.shutdown.wait(for: .draining)
        guard !services.shutdown.isServing else { return }
        if Backend.outlivesWorker || served.leavesRunsOnExit || services.shutdown.refusal != nil {
            for held in registry.all { held.requestLeave() }
            return
        }
        await services.shutdown.wait(for: .stopping)
        guard services.shutdown.phase >= .stopping else { return }
        for held in registry.all { held.requestStop(.shutdown) }
    }
}

/// The runs of a pool that an earlier process of the worker has left, held and with their slots.
public struct LeftRuns: Sendable {
    struct LeftRun: Sendable {
        let entry: LedgerEntry
        let held: HeldRun
        let slot: Slot
    }

    var runs: [LeftRun] = []
}
