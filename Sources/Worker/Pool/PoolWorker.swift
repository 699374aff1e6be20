internal import JSON
internal import JobTemplates
internal import Logging
public import PrefectAPI

/// Serves one work pool with one backend: keeps in touch with the API, takes the runs that are due and follows each of
/// them to its end.
public struct PoolWorker<Backend: InfrastructureBackend>: Sendable {
    /// The pool and how it is served.
    public let served: ServedPool
    /// What is known of the pool; for probes.
    public let state = PoolState()
    /// The runs in flight.
    public let registry = RunRegistry()

    private let backend: Backend
    private let services: WorkerServices
    private let slots: SlotLimiter
    private let justRead: WorkPool?
    private let contest: Contest

    /// A worker for a pool; `justRead` is the pool as it was read a moment ago, when it was.
    public init(served: ServedPool, backend: Backend, services: WorkerServices, justRead: WorkPool? = nil) {
        self.served = served
        self.backend = backend
        self.services = services
        slots = SlotLimiter(limit: served.limit)
        self.justRead = justRead
        contest = Contest(
            pool: served.name, workerName: served.workerName, api: services.api, logger: services.logger)
    }

    private var synchronizer: PoolSynchronizer {
        PoolSynchronizer(
            served: served, workerType: Backend.workerType, defaultTemplate: Backend.defaultBaseJobTemplate,
            services: services, state: state, contest: contest)
    }

    /// Serves the pool until the worker shuts down, or, for a pool that is served once, until the runs of one poll
    /// have ended. Returns when every run has been dealt with.
    public func run() async {
        let events = WorkerEvents(
            events: services.events, workerName: served.workerName, workerType: Backend.workerType)
        await withTaskGroup(of: Void.self) { group in
            let isSynchronized = await synchronizer.synchronize(justRead: justRead)
            let started = events.started(pool: state.pool)
            services.logger.info("Worker '\(served.workerName)' started!")
            group.addTask { await synchronizer.run(afterFirst: isSynchronized) }
            group.addTask {
                await CancellationWatch(served: served, services: services, registry: registry).run()
            }
            await serve()
            group.cancelAll()
            events.stopped(pool: state.pool, after: started)
            services.logger.info("Worker '\(served.workerName)' stopped!")
        }
    }

    /// Polls and runs what comes; returns when polling has ended and no run is left.
    private func serve() async {
        let contexts = RunContextReader(api: services.api)
        let (due, hand) = AsyncStream.makeStream(of: (held: HeldRun, slot: Slot).self)
        let poller = PollLoop(
            served: served, services: services, state: state, slots: slots, registry: registry, contest: contest,
            hand: { hand.yield(($0, $1)) })
        await withDiscardingTaskGroup { group in
            group.addTask {
                if served.runsOnce { await poller.once() } else { await poller.run() }
                hand.finish()
            }
            group.addTask { await stopRunsOnShutdown() }
            await withDiscardingTaskGroup { runs in
                for await (held, slot) in due {
                    runs.addTask { await execute(held, slot, contexts) }
                }
            }
            // All runs have ended; the watch for the shutdown is the only task left.
            group.cancelAll()
        }
    }

    private func execute(_ held: HeldRun, _ slot: Slot, _ contexts: RunContextReader) async {
        defer {
            registry.remove(held)
            slot.release()
        }
        guard let pool = state.pool else { return }
        let reporter = RunReporter(flowRun: held.flowRun, services: services, workerID: state.workerID)
        await RunExecution(
            held: held, backend: backend, pool: pool, served: served, services: services, contexts: contexts,
            reporter: reporter, workerID: state.workerID, contest: contest
        ).run()
    }

    /// Stops the runs that would die with the worker, when it is told to leave. A run that is handed over after that
    /// finds out by itself.
    private func stopRunsOnShutdown() async {
        await services.shutdown.wait(for: .stopping)
        guard !services.shutdown.isServing else { return }
        for held in registry.all { held.requestStop(.shutdown) }
    }
}
