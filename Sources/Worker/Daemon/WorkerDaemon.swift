internal import Logging
public import PrefectAPI

/// One of the pools that a daemon serves.
public protocol PoolService: Sendable {
    /// The pool and how it is served, as the settings say at the moment.
    var live: Live<ServedPool> { get }
    /// What is known of the pool.
    var state: PoolState { get }
    /// The runs in flight.
    var registry: RunRegistry { get }
    /// The slots of the pool's limit.
    var slots: SlotLimiter { get }
    /// What is measured of the pool.
    var metrics: PoolMetrics { get }
    /// How the pool's worker channel is.
    var connection: Connection { get }
    /// Acts on what has happened to a run, if it concerns this worker.
    func take(_ news: RunNews)
    /// Looks for what has happened while no news came.
    func catchUp()
    /// Opens connections at once that wait for their next attempt.
    func reconnect()
    /// Serves the pool in another way from now on; runs in flight are not touched.
    func change(_ change: (inout ServedPool) -> Void)
    /// Takes no more runs of the pool, and watches those in flight to their end.
    func retire()
    /// Takes hold of the runs that an earlier process has left.
    func takeUp() async -> LeftRuns
    /// Serves the pool until the worker has shut down or there is nothing more to do.
    func run(_ left: LeftRuns) async
}

extension PoolService {
    /// The pool and how it is served.
    public var served: ServedPool { live.value }
}

extension PoolWorker: PoolService {}

/// The daemon: any number of pools that share one connection to the API, one log, and one way out; and those of a type one
/// backend.
public struct WorkerDaemon: Sendable {
    let services: WorkerServices
    private let served: Live<[any PoolService]>
    private let backends: Live<[any InfrastructureBackend]>
    private let arrivals: (pools: Arrivals<PoolArrival>, backends: Arrivals<any InfrastructureBackend>)
    private let drainTimeout: Duration?
    private let metrics: DaemonMetrics

    /// A daemon that serves pools.
    ///
    /// - Parameters:
    ///   - backends: The backends of the pools, each once.
    ///   - drainTimeout: How long runs in flight are waited for before they are stopped; `nil` means for as long as they
    ///     take.
    public init(
        pools: [any PoolService], backends: [any InfrastructureBackend], services: WorkerServices,
        drainTimeout: Duration? = nil
    ) {
        served = Live(pools)
        self.backends = Live(backends)
        arrivals = (Arrivals(), Arrivals())
        self.services = services
        self.drainTimeout = drainTimeout
        metrics = DaemonMetrics(factory: services.metrics)
        for backend in backends { arrivals.backends.add(backend) }
    }

    /// A pool that is added while others are served, and its backend, unless that is there.
    private struct PoolArrival: Sendable {
        let pool: any PoolService
        let backend: (any InfrastructureBackend)?
    }

    /// Additions to a daemon that runs, in their order.
    private struct Arrivals<Element: Sendable>: Sendable {
        let stream: AsyncStream<Element>
        private let continuation: AsyncStream<Element>.Continuation

        init() { (stream, continuation) = AsyncStream.makeStream() }

        func add(_ element: Element) { continuation.yield(element) }
        func finish() { continuation.finish() }
    }

    /// The pools served.
    public var pools: [any PoolService] { served.value }

    /// Adds a pool before the daemon runs; its backend is among those of the daemon.
    public func begin(with pool: any PoolService) { served.update { $0.append(pool) } }

    /// Changes the way in which a pool is served; runs in flight are not touched.
    public func change(pool name: String, _ change: (inout ServedPool) -> Void) {
        for pool in pools where pool.served.name == name { pool.change(change) }
    }

    /// Takes no more runs of a pool. It is served no more as soon as its runs in flight have ended.
    public func retire(pool name: String) {
        for pool in pools where pool.served.name == name { pool.retire() }
    }

    /// Waits until a pool that was retired is served no more, or for the task's cancellation.
    public func waitUntilGone(pool name: String) async {
        await served.wait { pools in !pools.contains { $0.served.name == name } }
    }

    /// Serves another pool from now on, the runs that an earlier process has left of it included. A pool of a name that is
    /// served already is not added.
    ///
    /// - Parameter backend: The backend of the pool, if none of the other pools has it.
    public func add(_ pool: any PoolService, on backend: (any InfrastructureBackend)? = nil) {
        if let backend {
            backends.update { $0.append(backend) }
            arrivals.backends.add(backend)
        }
        let isNew = served.update { pools in
            guard !pools.contains(where: { $0.served.name == pool.served.name }) else { return false }
            pools.append(pool)
            return true
        }
        guard isNew else { return }
        arrivals.pools.add(PoolArrival(pool: pool, backend: backend))
    }

    /// Serves all pools; returns when each has ended and what waited to be told to the API has been told, or when the
    /// time for that is over. A worker without runs in flight ends within ``WorkerServices/idleExitLimit`` of a shutdown.
    public func run() async {
        // What is no pool's own is the first one's.
        let name = pools.first?.served.workerName
        let caller = APIClient.Caller { [state = pools.first?.state] in
            APIClient.Attribution(workerName: name, workerID: state?.workerID)
        }
        await APIClient.$caller.withValue(caller) {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await serveAndSayFarewell() }
                group.addTask { await limitShutdown() }
                await group.next()
                group.cancelAll()
            }
        }
    }

    private func serveAndSayFarewell() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                async let logs: Void = services.logs.run()
                await services.events.run()
                await logs
            }
            await servePools()
            services.logs.close()
            services.events.close()
            // An API that takes nothing any more must not keep a worker whose runs have ended.
            group.addTask {
                try? await Task.sleep(for: services.farewell)
                warnOfUntold()
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Serves the pools, with what happens to their runs told to them meanwhile.
    private func servePools() async {
        // Before a pool takes its first run: what is not among the runs left then is nobody's any more.
        var left: [LeftRuns] = []
        let initial = pools
        for pool in initial { left.append(await pool.takeUp()) }
        for backend in backends.value { await discardRemains(of: backend) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await services.feed.run(for: served) }
            group.addTask { await runBackends() }
            await withDiscardingTaskGroup { serving in
                for (pool, left) in zip(initial, left) { serving.addTask { await serve(pool, left) } }
                // With pools that are polled once, the work is that of these.
                guard !initial.allSatisfy(\.served.runsOnce) else { return }
                serving.addTask {
                    await services.shutdown.wait(for: .draining)
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
        let left = await arrival.pool.takeUp()
        if let backend = arrival.backend { await discardRemains(of: backend) }
        await serve(arrival.pool, left)
    }

    private func serve(_ pool: any PoolService, _ left: LeftRuns) async {
        await pool.run(left)
        // A pool that ends while the others are served has been retired.
        guard services.shutdown.isServing, !pool.served.runsOnce else { return }
        served.update { $0.removeAll { $0.state === pool.state } }
    }

    private func discardRemains(of backend: any InfrastructureBackend) async {
        await backend.discardRemains(except: Set(services.ledger.entries.map(\.flowRunID)))
    }

    private func runBackends() async {
        await withDiscardingTaskGroup { group in
            for await backend in arrivals.backends.stream {
                group.addTask { await backend.run() }
                group.addTask { await backend.observe(OtherRunsOfAPI(services: services, served: served)) }
            }
        }
    }

    /// Opens connections at once that wait for their next attempt: the settings were read again, say.
    public func reconnect() {
        services.feed.retryNow()
        for pool in pools { pool.reconnect() }
    }

    /// Sees to it that the worker leaves when it was told to, whatever it is waiting for.
    private func limitShutdown() async {
        await services.shutdown.wait(for: .draining)
        guard !services.shutdown.isServing else { return }
        if runsInFlight == 0 {
            // Nobody depends on what is still to be done, so no API, socket or program is waited for.
            try? await Task.sleep(for: services.idleExitLimit)
            return warnOfUntold()
        }
        if let drainTimeout {
            await services.shutdown.sleep(for: drainTimeout, orUntil: .stopping)
            if services.shutdown.phase < .stopping, !Task.isCancelled {
                services.logger.warning("The time to drain is over: stopping \(Self.count(runsInFlight))")
                services.shutdown.advance(to: .stopping)
            }
        } else {
            await services.shutdown.wait(for: .stopping)
        }
        guard services.shutdown.phase >= .stopping else { return }
        let grace = pools.map(\.served.stopGrace).max() ?? .zero
        try? await Task.sleep(for: grace + services.farewell)
        warnOfUntold()
    }

    /// Whether the worker takes runs.
    public var isServing: Bool { services.shutdown.isServing }

    /// How many flow runs are in flight, in all pools.
    public var runsInFlight: Int { pools.map(\.registry.count).reduce(0, +) }

    /// The pool that a run in flight is of.
    public func pool(ofRun id: String) -> ServedPool? { pools.first { $0.registry.contains(id) }?.served }

    private static func count(_ runs: Int) -> String { runs == 1 ? "1 flow run" : "\(runs) flow runs" }

    /// What the worker does at the moment, in a few words, for a service manager and for people.
    public var status: String {
        switch services.shutdown.phase {
        case .serving:
            pools.lazy.compactMap(\.state.trouble).first ?? "serving, \(Self.count(runsInFlight)) in flight"
        case .draining: "draining, \(Self.count(runsInFlight)) left"
        case .stopping: "stopping, \(Self.count(runsInFlight)) left"
        }
    }

    private func warnOfUntold() {
        guard !Task.isCancelled else { return }
        services.logger.warning("The worker leaves although not everything could be told to the API")
    }

    /// Sets the meters of all that is a matter of how things stand: whoever shows or sends metrics calls this before.
    public func updateMeters() {
        metrics.update(pools: pools, backends: backends.value, services)
        for pool in pools { pool.metrics.update(pool) }
    }

    // MARK: Probes

    /// How long a loop may go without progress before the worker counts as stuck: thirty polls, and never less than
    /// the longest pause between attempts takes.
    private static func patience(_ pool: ServedPool) -> Duration { max(pool.pollInterval * 30, .seconds(180)) }

    /// Whether the worker's own loops make progress; an API that is away does not make a worker sick.
    public var isAlive: Bool { pools.allSatisfy { $0.state.timeSinceTick < Self.patience($0.served) } }

    /// Whether the API has described every pool once.
    public var isSynchronized: Bool { pools.allSatisfy { $0.state.pool != nil } }

    /// Why the worker is not ready to run flows, in one line; `nil` when it is.
    public var reasonNotReady: String? {
        if !services.shutdown.isServing { return "the worker is shutting down: \(status)" }
        return pools.lazy.compactMap(\.state.trouble).first
    }
}
