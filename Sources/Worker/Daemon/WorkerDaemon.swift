internal import Logging
internal import PrefectAPI

/// One of the pools that a daemon serves.
public protocol PoolService: Sendable {
    /// The pool and how it is served.
    var served: ServedPool { get }
    /// What is known of the pool.
    var state: PoolState { get }
    /// The runs in flight.
    var registry: RunRegistry { get }
    /// Serves the pool until the worker has shut down or there is nothing more to do.
    func run() async
}

extension PoolWorker: PoolService {}

/// The daemon: any number of pools that share one connection to the API, one log, and one way out.
public struct WorkerDaemon: Sendable {
    /// The pools served.
    public let pools: [any PoolService]
    private let services: WorkerServices

    private let farewell: Duration

    /// How long the worker tries to say what is to be said when it was told twice to leave.
    private var shortFarewell: Duration { min(farewell, .seconds(5)) }

    /// A daemon that serves pools. `farewell` is how long, after the end of the runs, it tries to say what is to be said
    /// before it leaves.
    public init(pools: [any PoolService], services: WorkerServices, farewell: Duration = .seconds(15)) {
        self.pools = pools
        self.services = services
        self.farewell = farewell
    }

    /// Serves all pools; returns when each has ended and what waited to be told to the API has been told, or when the
    /// time for that is over.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await serveAndSayFarewell() }
            group.addTask { await limitFarewell() }
            await group.next()
            group.cancelAll()
        }
    }

    private func serveAndSayFarewell() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                async let logs: Void = services.logs.run()
                await services.events.run()
                await logs
            }
            await withDiscardingTaskGroup { pools in
                for pool in self.pools { pools.addTask { await pool.run() } }
            }
            services.logs.close()
            services.events.close()
            // An API that takes nothing any more must not keep a worker whose runs have ended.
            group.addTask {
                try? await Task.sleep(for: farewell)
                warnOfUntold()
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Sees to it that the worker leaves when it was told to, whatever it is waiting for.
    private func limitFarewell() async {
        await services.shutdown.wait(for: .stopping)
        guard !services.shutdown.isServing else { return }
        let grace = pools.map(\.served.stopGrace).max() ?? .zero
        await services.shutdown.sleep(for: grace + farewell, orUntil: .forced)
        if services.shutdown.phase == .forced { try? await Task.sleep(for: shortFarewell) }
        warnOfUntold()
    }

    private func warnOfUntold() {
        guard !Task.isCancelled else { return }
        services.logger.warning("The worker leaves although not everything could be told to the API")
    }

    // MARK: Probes

    /// How long a loop may go without progress before the worker counts as stuck: thirty polls, and never less than
    /// the longest pause between attempts takes.
    private static func patience(_ pool: ServedPool) -> Duration { max(pool.pollInterval * 30, .seconds(180)) }

    /// Whether the worker's own loops make progress; an API that is away does not make a worker sick.
    public var isAlive: Bool { pools.allSatisfy { $0.state.timeSinceTick < Self.patience($0.served) } }

    /// Why the worker is not ready to run flows, in one line; `nil` when it is.
    public var reasonNotReady: String? {
        if !services.shutdown.isServing { return "the worker is shutting down" }
        return pools.lazy.compactMap(\.state.trouble).first
    }
}
