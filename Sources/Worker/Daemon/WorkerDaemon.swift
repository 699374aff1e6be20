internal import Logging
internal import PrefectAPI

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
    /// The pools served.
    public let pools: [any PoolService]
    let services: WorkerServices
    private let backends: [any InfrastructureBackend]
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
        self.pools = pools
        self.backends = backends
        self.services = services
        self.drainTimeout = drainTimeout
        metrics = DaemonMetrics(backends: backends, factory: services.metrics)
    }

    /// Serves all pools; returns when each has ended and what waited to be told to the API has been told, or when the
    /// time for that is over.
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
        for pool in pools { left.append(await pool.takeUp()) }
        let inFlight = Set(services.ledger.entries.map(\.flowRunID))
        for backend in backends { await backend.discardRemains(except: inFlight) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await services.feed.run(for: pools) }
            for backend in backends {
                group.addTask { await backend.run() }
                group.addTask { await backend.observe(OtherRunsOfAPI(services: services, pools: pools)) }
            }
            await withDiscardingTaskGroup { serving in
                for (pool, left) in zip(pools, left) { serving.addTask { await pool.run(left) } }
            }
            group.cancelAll()
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
        metrics.update(pools: pools, backends: backends, services)
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
