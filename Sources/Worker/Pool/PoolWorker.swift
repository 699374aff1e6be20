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
    private let contest: Contest
    private let contexts: RunContextReader
    private let channel: PoolChannel
    private let hints = PollHints()
    private let cancellations: CancellationWatch

    /// A worker for a pool.
    ///
    /// - Parameters:
    ///   - backend: What the pool's runs run on; other pools of the type may use it too.
    ///   - slots: The slots that the pools of the daemon share, when they do.
    ///   - justRead: The pool as it was read a moment ago, when it was.
    public init(
        served: ServedPool, backend: Backend, services: WorkerServices, within slots: SlotLimiter? = nil,
        justRead: WorkPool? = nil
    ) {
        live = Live(served)
        self.backend = backend
        state = PoolState(infrastructureTrouble: { backend.trouble })
        self.services = services
        self.slots = SlotLimiter(limit: served.limit, within: slots)
        metrics = PoolMetrics(pool: served.name, factory: services.metrics)
        self.justRead = justRead
        contest = Contest(
            pool: served.name, workerName: served.workerName, api: services.api, logger: services.logger)
        contexts = RunContextReader(api: services.api)
        let cleanup = RunCleanup(
            backend: backend, live: live, services: services, contexts: contexts, registry: registry, state: state,
            contest: contest, metrics: metrics)
        channel = PoolChannel(
            live: live, workerType: Backend.workerType, defaultTemplate: Backend.defaultBaseJobTemplate,
            services: services, state: state, cleanup: (RunCleanup<Backend>.kinds, cleanup.clean))
        cancellations = CancellationWatch(live: live, services: services, registry: registry)
    }

    private var synchronizer: PoolSynchronizer {
        PoolSynchronizer(
            live: live, workerType: Backend.workerType, defaultTemplate: Backend.defaultBaseJobTemplate,
            services: services, state: state, contest: contest, channel: channel,
            onServable: { [hints] in hints.update { $0.ask() } })
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
            let isSynchronized = await synchronizer.synchronize(justRead: justRead)
            let started = events.started(pool: state.pool)
            services.logger.info("Worker '\(served.workerName)' started!")
            group.addTask { await synchronizer.run(afterFirst: isSynchronized) }
            group.addTask { await cancellations.run() }
            await poll(goingOnWith: left)
            group.cancelAll()
            events.stopped(pool: state.pool, after: started)
            services.logger.info("Worker '\(served.workerName)' stopped!")
        }
    }

    /// Polls and runs what comes, and goes on with what was left; returns when polling has ended and no run is left.
    private func poll(goingOnWith left: LeftRuns) async {
        let (due, hand) = AsyncStream.makeStream(of: DueRun.self)
        let poller = PollLoop(
            live: live, services: services, state: state, slots: slots, registry: registry, metrics: metrics,
            hints: hints, workerType: Backend.workerType, hand: { hand.yield($0) })
        await withDiscardingTaskGroup { group in
            group.addTask {
                if served.runsOnce { await poller.once() } else { await poller.run() }
                hand.finish()
            }
            group.addTask { await followShutdown() }
            await withDiscardingTaskGroup { runs in
                for run in left.runs { runs.addTask { await recover(run) } }
                for await run in due { runs.addTask { await execute(run) } }
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
        guard let pool = state.pool else { return await services.ledger.remove(run.held.id) }
        let reporter = RunReporter(flowRun: run.flowRun, services: services, workerID: state.workerID)
        await RunExecution(
            held: run.held, flowRun: run.flowRun, backend: backend, pool: pool, live: live, services: services,
            contexts: contexts, reporter: reporter, workerID: state.workerID, contest: contest, metrics: metrics
        ).run()
    }

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
        let entries = services.ledger.entries.filter { $0.pool == served.name && $0.workerType == Backend.workerType }
        if !entries.isEmpty {
            services.logger.info("Found \(entries.count) flow runs of an earlier process of this worker")
        }
        var left = LeftRuns()
        for entry in entries {
            left.runs.append(.init(entry: entry, held: registry.restore(entry), slot: slots.takeBeyondLimit()))
            if entry.stage == .running, let identifier = entry.identifier {
                await backend.adopt(identifier, flowRunID: entry.flowRunID, flowRunName: entry.flowRunName)
            }
        }
        return left
    }

    private func recover(_ run: LeftRuns.LeftRun) async {
        defer {
            registry.remove(run.held)
            run.slot.release()
        }
        let recovery = RunRecovery(
            entry: run.entry, held: run.held, backend: backend, live: live, services: services, contexts: contexts,
            state: state, contest: contest, metrics: metrics)
        await recovery.run()
    }

    // MARK: Shutdown

    /// Leaves the runs that outlive the worker, and stops the others when they have been waited for long enough. A run
    /// that is handed over after that finds out by itself.
    private func followShutdown() async {
        await services.shutdown.wait(for: .draining)
        guard !services.shutdown.isServing else { return }
        if Backend.outlivesWorker || served.leavesRunsOnExit {
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

/// A run that a poll has returned, with its slot.
struct DueRun: Sendable {
    let held: HeldRun
    let flowRun: FlowRun
    let slot: Slot
}
