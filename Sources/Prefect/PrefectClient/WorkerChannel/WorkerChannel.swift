internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectWebSocket
internal import Synchronization

/// Prefect's worker channel: a WebSocket that carries a worker's heartbeats and reports changes of its pool at once.
/// For backends that can stop infrastructure by its identifier, it also carries cleanups. Mirrors
/// `/work_pools/{name}/workers/connect`.
///
/// The channel is opportunistic. An API without the channel, or a time without it, costs only speed: while it is not
/// ``isHealthy``, its owner uses REST instead. The channel never gives up.
package final class WorkerChannel: Sendable {
    /// Time limits and pauses.
    struct Timing: Sendable {
        /// The limit from connecting to `worker.ready.v1`.
        var setup = Duration.seconds(10)
        var reconnecting = ReconnectPolicy()
        var cleanup = CleanupLeases.Timing()
        /// The largest fraction of a heartbeat's interval by which the interval is shortened at random.
        var heartbeatJitter = 0.2
    }

    /// The state of the channel.
    package typealias State = SocketState<ChannelOutage>

    let api: APIClient
    let poolName: String
    /// The worker's description of itself.
    let identity: Identity
    let handlers: Handlers
    let timing: Timing
    let cleanups: CleanupExecutor
    private let keeper: SocketKeeper<ChannelOutage>

    /// Creates a channel to a pool; ``run()`` does the work.
    package convenience init(api: APIClient, poolName: String, identity: Identity, handlers: Handlers) {
        self.init(api: api, poolName: poolName, identity: identity, handlers: handlers, timing: Timing())
    }

    init(api: APIClient, poolName: String, identity: Identity, handlers: Handlers, timing: Timing) {
        self.api = api
        self.poolName = poolName
        self.identity = identity
        self.handlers = handlers
        self.timing = timing
        cleanups = CleanupExecutor(
            desk: CleanupLeases(kinds: identity.handledCleanupKinds, timing: timing.cleanup),
            handler: handlers.onCleanup)
        keeper = SocketKeeper(policy: timing.reconnecting, initially: .connecting, onState: handlers.onState)
        keeper.want()
    }

    /// The current state.
    package var state: State { keeper.state }

    /// Whether the channel carries heartbeats and snapshots, so that REST need not.
    package var isHealthy: Bool { state == .live }

    /// Ends the pause of a channel that waits for any reason, for example after the pool was created.
    package func retryNow() { keeper.retryNow() }

    /// Keeps the channel open until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            if identity.wantsCleanups { group.addTask { await self.cleanups.run() } }
            await keepOpen()
            group.cancelAll()
        }
    }

    private func keepOpen() async {
        var last: ChannelConnection?
        var hasBeenHealthy = false
        await keeper.run(api.reachability) {
            let connection = ChannelConnection(
                self, hasBeenHealthy: hasBeenHealthy, apiHadAnswered: last?.apiAnswered ?? false)
            last = connection
            let outage = await connection.run {
                self.keeper.confirmed()
                await self.keeper.opened()
            }
            hasBeenHealthy = hasBeenHealthy || connection.wasHealthy
            return outage
        } conclude: { outage in
            await last?.close(after: outage)
        }
    }
}
