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

    private let backend: Backend
    private let services: WorkerServices
    private let slots: SlotLimiter
    private let justRead: WorkPool?
    private let contest: Contest
    private let contexts: RunContextReader
    private let channel: PoolChannel
    private let hints = PollHints()
    private let cancellations: CancellationWatch

    /// The pool and how it is served.
    public var served: ServedPool { live.value }

    /// A worker for a pool; `justRead` is the pool as it was read a moment ago, when it was.
    public init(served: ServedPool, backend: Backend, services: WorkerServices, justRead: WorkPool? = nil) {
        live = Live(served)
        self.backend = backend
        state = PoolState(infrastructureTrouble: { backend.trouble })
        self.services = services
        slots = SlotLimiter(limit: served.limit)
        self.justRead = justRead
        contest = Contest(
            pool: served.name, workerName: served.workerName, api: services.api, logger: services.logger)
        contexts = RunContextReader(api: services.api)
        let cleanup = RunCleanup(
            backend: backend, live: live, services: services, contexts: contexts, registry: registry, state: state,
            contest: contest)
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

    /// Serves the pool until the worker shuts down, or, for a pool that is served once, until the runs of one poll
    /// have ended. Returns when every run has been dealt with.
    public func run() async {
        let events = WorkerEvents(
            events: services.events, workerName: served.workerName, workerType: Backend.workerType)
        let left = await restore()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await backend.run() }
            group.addTask {
                await backend.observe(OtherRunsOfAPI(services: services, registry: registry, state: state))
            }
            let isSynchronized = await synchronizer.synchronize(justRead: justRead)
            let started = events.started(pool: state.pool)
            services.logger.info("Worker '\(served.workerName)' started!")
            group.addTask { await synchronizer.run(afterFirst: isSynchronized) }
            group.addTask { await cancellations.run() }
            await serve(left)
            group.cancelAll()
            events.stopped(pool: state.pool, after: started)
            services.logger.info("Worker '\(served.workerName)' stopped!")
        }
    }

    /// Polls and runs what comes, and goes on with what was left; returns when polling has ended and no run is left.
    private func serve(_ left: [LeftRun]) async {
        let (due, hand) = AsyncStream.makeStream(of: DueRun.self)
        let poller = PollLoop(
            live: live, services: services, state: state, slots: slots, registry: registry,
            hints: hints, workerType: Backend.workerType, hand: { hand.yield($0) })
        await withDiscardingTaskGroup { group in
            group.addTask {
                if served.runsOnce { await poller.once() } else { await poller.run() }
                hand.finish()
            }
            group.addTask { await followShutdown() }
            await withDiscardingTaskGroup { runs in
                for run in left { runs.addTask { await recover(run) } }
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
            contexts: contexts, reporter: reporter, workerID: state.workerID, contest: contest
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

    private struct LeftRun: Sendable {
        let entry: LedgerEntry
        let held: HeldRun
        let slot: Slot
    }

    /// Takes hold of the runs that an earlier process has left, before the first poll could return one of them.
    private func restore() async -> [LeftRun] {
        let entries = services.ledger.entries.filter { $0.pool == served.name && $0.workerType == Backend.workerType }
        if !entries.isEmpty {
            services.logger.info("Found \(entries.count) flow runs of an earlier process of this worker")
        }
        var left: [LeftRun] = []
        for entry in entries {
            left.append(LeftRun(entry: entry, held: registry.restore(entry), slot: slots.takeBeyondLimit()))
            if entry.stage == .running, let identifier = entry.identifier {
                await backend.adopt(identifier, flowRunID: entry.flowRunID, flowRunName: entry.flowRunName)
            }
        }
        await backend.discardRemains(except: Set(services.ledger.entries.map(\.flowRunID)))
        return left
    }

    private func recover(_ run: LeftRun) async {
        defer {
            registry.remove(run.held)
            run.slot.release()
        }
        let recovery = RunRecovery(
            entry: run.entry, held: run.held, backend: backend, live: live, services: services, contexts: contexts,
            state: state, contest: contest)
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

/// A run that a poll has returned, with its slot.
struct DueRun: Sendable {
    let held: HeldRun
    let flowRun: FlowRun
    let slot: Slot
}
