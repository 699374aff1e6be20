internal import PrefectClient
package import PrefectConcurrency

/// One of the pools that a daemon serves.
package protocol PoolService: Sendable {
    /// The pool with its current settings.
    var live: ObservedValue<ServedPool> { get }
    /// The worker's knowledge of the pool.
    var state: PoolState { get }
    /// The runs in flight.
    var registry: RunRegistry { get }
    /// The slots of the pool's limit.
    var slots: SlotLimiter { get }
    /// The metrics of the pool.
    var metrics: PoolMetrics { get }
    /// The connection of the pool's worker channel.
    var connection: Connection { get }
    /// Acts on a notification about a run, if it concerns this worker.
    func take(_ notification: RunNotification)
    /// Looks up the changes for which notifications may be missing.
    func catchUp()
    /// Opens connections at once that wait for their next attempt.
    func reconnect()
    /// Changes how the pool is served from now on; runs in flight are not affected.
    func change(_ change: (inout ServedPool) -> Void)
    /// Takes no more runs of the pool, and watches those in flight until they end.
    func retire()
    /// Takes over the orphaned runs of an earlier process.
    func restoreRuns() async -> RecoveredRuns
    /// Serves the pool until the worker has shut down or the pool needs no more work.
    func run(_ left: RecoveredRuns) async
}

extension PoolService {
    /// The pool with its current settings.
    package var served: ServedPool { live.value }
}

extension PoolWorker: PoolService {}
