package import BackendKit
internal import CLinux
internal import Logging
internal import PrefectClient
internal import PrefectConcurrency

/// The daemon, with any number of pools. They share one connection to the API, one log and one shutdown; the pools of
/// one type share a backend.
package struct WorkerDaemon: Sendable {
    let services: WorkerServices
    private let served: ObservedValue<[any PoolService]>
    let backends: ObservedValue<[any Backend]>
    private let arrivals: (pools: Arrivals<PoolArrival>, backends: Arrivals<any Backend>)
    let drainTimeout: Duration?
    let idleLimit: Duration?
    private let metrics: DaemonMetrics
    private let waiting: WaitingRuns
    private let waitingMeters: WaitingRunMeters

    /// A daemon that serves pools.
    ///
    /// - Parameters:
    ///   - backends: The backends of the pools, each once.
    ///   - drainTimeout: How long the daemon waits for runs in flight before it stops them; `nil` means without a
    ///     limit.
    ///   - idleLimit: After how much time without runs the daemon ends; `nil` means never.
    package init(
        pools: [any PoolService], backends: [any Backend], services: WorkerServices,
        drainTimeout: Duration? = nil, idleLimit: Duration? = nil
    ) {
        served = ObservedValue(pools)
        self.backends = ObservedValue(backends)
        arrivals = (Arrivals(), Arrivals())
        self.services = services
        self.drainTimeout = drainTimeout
        self.idleLimit = idleLimit
        metrics = DaemonMetrics(factory: services.metrics)
        waiting = WaitingRuns(api: services.api)
        waitingMeters = WaitingRunMeters(factory: services.metrics)
        for backend in backends { arrivals.backends.add(backend) }
    }

    /// A pool that is added while the daemon serves others, and its backend, unless the daemon already has it.
    private struct PoolArrival: Sendable {
        let pool: any PoolService
        let backend: (any Backend)?
    }

    /// Additions to a running daemon, in their order.
    private struct Arrivals<Element: Sendable>: Sendable {
        let stream: AsyncStream<Element>
        private let continuation: AsyncStream<Element>.Continuation

        init() { (stream, continuation) = AsyncStream.makeStream() }

        func add(_ element: Element) { continuation.yield(element) }
        func finish() { continuation.finish() }
    }

    /// The pools served.
    package var pools: [any PoolService] { served.value }

    /// Adds a pool before the daemon runs; the daemon already has its backend.
    package func begin(with pool: any PoolService) { served.update { $0.append(pool) } }

    /// Changes how a pool is served; runs in flight are not affected.
    package func change(pool name: String, _ change: (inout ServedPool) -> Void) {
        for pool in pools where pool.served.name == name { pool.change(change) }
    }

    /// Takes no more runs of a pool. The daemon stops serving the pool as soon as its runs in flight have ended.
    package func retire(pool name: String) {
        for pool in pools where pool.served.name == name { pool.retire() }
    }

    /// Waits until the daemon no longer serves a retired pool, or until the task is cancelled.
    package func waitUntilGone(pool name: String) async {
        await served.wait { pools in !pools.contains { $0.served.name == name } }
    }

    /// Serves another pool from now on, including the orphaned runs of an earlier process. A pool is not added when its
    /// name is already served.
    ///
    /// - Parameter backend: The backend of the pool, if no other pool has it.
    package func add(_ pool: any PoolService, on backend: (any Backend)? = nil) {
        guard isServing else { return }
        let isNew = served.update { pools in
            guard !pools.contains(where: { $0.served.name == pool.served.name }) else { return false }
            pools.append(pool)
            return true
        }
        guard isNew else { return }
        if let backend {
            backends.update { $0.append(backend) }
            arrivals.backends.add(backend)
        }
        arrivals.pools.add(PoolArrival(pool: pool, backend: backend))
    }

    /// Serves all pools. Returns when each pool has ended and the API has received all waiting messages, or when the
    /// time for that is over. A worker without runs in flight ends within ``WorkerServices/idleExitLimit`` of a
    /// shutdown.
    package func run() async {
        // Requests that belong to no single pool carry the identity of the first pool's worker.
        let name = pools.first?.served.workerName
        let caller = APIClient.Caller { [state = pools.first?.state] in
            APIClient.Attribution(workerName: name, workerID: state?.workerID)
        }
        await APIClient.$caller.withValue(caller) {
            await raceOf({ await serveThenFlush() }, { await limitShutdown() })
        }
    }

    private func serveThenFlush() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                async let logs: Void = services.logs.run()
                await services.events.run()
                await logs
            }
            await servePools()
            services.logs.close()
            services.events.close()
            // An API that accepts nothing must not keep a worker alive after its runs have ended.
            group.addTask {
                try? await Task.sleep(for: services.flushTimeout)
                warnUndelivered()
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Serves the pools, and passes notifications about their runs to them meanwhile.
    private func servePools() async {
        // This precedes the first run of a pool. At this time, infrastructure belongs to an orphaned run or to none.
        var left: [RecoveredRuns] = []
        let initial = pools
        for pool in initial { left.append(await pool.restoreRuns()) }
        for backend in backends.value { await removeOrphans(of: backend) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await services.feed.run(for: served) }
            group.addTask { await runBackends() }
            group.addTask { await returnFreeMemory() }
            group.addTask { await waiting.run(served) }
            group.addTask { await followDrain() }
            group.addTask { await endWhenIdle() }
            await withDiscardingTaskGroup { serving in
                for (pool, left) in zip(initial, left) { serving.addTask { await serve(pool, left) } }
                // When the initial pools are all polled once, the daemon only serves these.
                guard !initial.allSatisfy(\.served.runsOnce) else { return }
                serving.addTask {
                    await raceOf(
                        { await services.shutdown.wait(for: .draining) }, { _ = await services.claiming.waitForDrain() }
                    )
                    arrivals.pools.finish()
                }
                for await arrival in arrivals.pools.stream {
                    serving.addTask { await serve(arrival) }
                }
            }
            group.cancelAll()
        }
    }

    private func serve(_ arrival: PoolArrival) async {
        let left = await arrival.pool.restoreRuns()
        if let backend = arrival.backend { await removeOrphans(of: backend) }
        await serve(arrival.pool, left)
    }

    private func serve(_ pool: any PoolService, _ left: RecoveredRuns) async {
        await pool.run(left)
        // A pool that ends while the daemon still serves has been retired.
        guard services.shutdown.isServing, !pool.served.runsOnce else { return }
        served.update { $0.removeAll { $0.state === pool.state } }
    }

    private func removeOrphans(of backend: any Backend) async {
        await backend.removeOrphans(except: Set(services.ledger.entries.map(\.flowRunID)))
    }

    private func runBackends() async {
        await withDiscardingTaskGroup { group in
            for await backend in arrivals.backends.stream {
                group.addTask { await backend.run() }
                guard let observer = backend as? any ForeignRunObserver else { continue }
                let runs = ForeignRunsOfAPI(services: services, served: served)
                group.addTask { await runs.run() }
                group.addTask { await observer.observe(runs) }
            }
        }
    }

    /// Returns the memory to the system that runs no longer need, such as that of their start or of connections that
    /// were made again. The allocator would keep it for as long as other memory near it is in use.
    private func returnFreeMemory() async {
        var changes = 0
        while (try? await Task.sleep(for: .seconds(10), tolerance: .seconds(5))) != nil {
            let current = pools.map(\.registry.changes).reduce(0, &+)
            if current != changes || runsInFlight > 0 { clinux_return_free_memory() }
            changes = current
        }
    }

    /// Opens connections at once that wait for their next attempt, for example after the settings were read again.
    package func reconnect() {
        services.feed.retryNow()
        for pool in pools { pool.reconnect() }
    }

    /// Whether the worker takes runs.
    package var isServing: Bool { services.shutdown.isServing && !services.claiming.isDraining }

    /// How many flow runs are in flight, in all pools.
    package var runsInFlight: Int { pools.map(\.registry.count).reduce(0, +) }

    /// The pool that a run in flight belongs to.
    package func pool(ofRun id: String) -> ServedPool? { pools.first { $0.registry.contains(id) }?.served }

    static func count(_ runs: Int) -> String { runs == 1 ? "1 flow run" : "\(runs) flow runs" }

    /// The worker's current activity in a few words, for a service manager and for people.
    package var status: String {
        switch services.shutdown.phase {
        case .serving where services.claiming.isDraining: "draining, \(Self.count(runsInFlight)) in flight"
        case .serving where services.claiming.isPaused: "paused, \(Self.count(runsInFlight)) in flight"
        case .serving:
            pools.lazy.compactMap(\.state.unavailableReason).first ?? "serving, \(Self.count(runsInFlight)) in flight"
        case .draining: "draining, \(Self.count(runsInFlight)) in flight"
        case .stopping: "stopping, \(Self.count(runsInFlight)) in flight"
        }
    }

    /// Sets the meters that show the current state. Callers that display or send metrics call this first.
    package func updateMeters() {
        metrics.update(slots: pools.map(\.slots), backends: backends.value, services)
        for pool in pools {
            pool.metrics.update(
                isReady: pool.state.unavailableReason == nil, slots: pool.slots, connection: pool.connection,
                stages: pool.registry.all.map(\.stage))
        }
    }

    /// Sets the meters like ``updateMeters()``, and also those that cost requests to the API. Takes two seconds at most.
    package func updateAllMeters() async {
        waitingMeters.show(await waiting.current())
        updateMeters()
    }

    // MARK: Probes

    /// How long a loop may run without progress before the worker counts as stuck. It is the time of thirty polls, and
    /// at least as long as the longest pause between attempts.
    private static func patience(_ pool: ServedPool) -> Duration { max(pool.pollInterval * 30, .seconds(180)) }

    /// Whether the worker's own loops make progress. An unavailable API does not make a worker unhealthy.
    package var isAlive: Bool { pools.allSatisfy { $0.state.timeSinceTick < Self.patience($0.served) } }

    /// Whether the API has described every pool once.
    package var isSynchronized: Bool { pools.allSatisfy { $0.state.pool != nil } }

    /// Why the worker is not ready to run flows, in one line; `nil` when it is.
    package var reasonNotReady: String? {
        if !isServing { return "the worker is shutting down: \(status)" }
        return pools.lazy.compactMap(\.state.unavailableReason).first
    }
}
