internal import Concurrency
internal import JSON
internal import Synchronization
internal import WebSocket

/// Prefect's worker channel: a WebSocket that carries a worker's heartbeats and reports changes of its pool at once.
/// For backends that can stop infrastructure by its identifier, it also carries cleanups. Mirrors
/// `/work_pools/{name}/workers/connect`.
///
/// The channel is opportunistic. An API without the channel, or a time without it, costs only speed: while it is not
/// ``isHealthy``, its owner uses REST instead. The channel never gives up.
public final class WorkerChannel: Sendable {
    /// Time limits and pauses.
    struct Timing: Sendable {
        /// The limit from connecting to `worker.ready.v1`.
        var setup = Duration.seconds(10)
        var reconnecting = ReconnectPolicy()
        var cleanup = CleanupLeases.Timing()
        /// The largest fraction of a heartbeat's interval by which the interval is shortened at random.
        var heartbeatJitter = 0.2
    }

    struct Progress {
        var state = State.connecting
        var isRetryWanted = false
        var hasBeenHealthy = false
    }

    let api: APIClient
    let poolName: String
    /// The worker's description of itself.
    let identity: Identity
    let handlers: Handlers
    let timing: Timing
    let cleanups: CleanupExecutor
    private let progress = Mutex(Progress())
    private let wakeup = AsyncSignal()

    /// Creates a channel to a pool; ``run()`` does the work.
    public convenience init(api: APIClient, poolName: String, identity: Identity, handlers: Handlers) {
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
    }

    /// The state of the channel.
    public var state: State { progress.withLock { $0.state } }

    /// Whether the channel carries heartbeats and snapshots, so that REST need not.
    public var isHealthy: Bool {
        if case .healthy = state { true } else { false }
    }

    /// Ends the pause of a channel that waits for any reason, for example after the pool was created.
    public func retryNow() {
        let isOfUse = progress.withLock { progress in
            if case .healthy = progress.state { return false }
            progress.isRetryWanted = true
            return true
        }
        if isOfUse { wakeup.signal() }
    }

    /// Keeps the channel open until the task is cancelled.
    public func run() async {
        await withDiscardingTaskGroup { group in
            if identity.wantsCleanups { group.addTask { await self.cleanups.run() } }
            await api.reachability.whileObserving({ self.noteReturn() }) { await keep() }
            group.cancelAll()
        }
        await enter(.stopped)
    }

    /// Ends the pause after a temporary outage: the API is available again.
    private func noteReturn() {
        let isOfUse = progress.withLock { progress in
            guard case .waiting = progress.state else { return false }
            progress.isRetryWanted = true
            return true
        }
        if isOfUse { wakeup.signal() }
    }

    private func keep() async {
        var policy = timing.reconnecting
        var apiAnswered = false
        while !Task.isCancelled {
            progress.withLock { $0.isRetryWanted = false }
            if case .unavailable = state {} else { await enter(.connecting) }
            let attempt = ChannelConnection(
                self, hasBeenHealthy: progress.withLock { $0.hasBeenHealthy }, apiHadAnswered: apiAnswered)
            let outage = await attempt.run {
                self.progress.withLock { $0.hasBeenHealthy = true }
                await self.enter(.healthy(since: .now))
            }
            if Task.isCancelled { return await attempt.close(after: outage) }
            if attempt.wasHealthy { policy.succeeded() }
            apiAnswered = attempt.apiAnswered
            let pause = policy.pause(isPassing: outage.prospect == .passing, random: .random(in: 0..<1))
            let end = Timestamp.now.adding(seconds: pause / .seconds(1))
            await enter(outage.prospect == .passing ? .waiting(until: end, outage) : .unavailable(outage))
            await attempt.close(after: outage)
            await wakeup.wait(
                atMost: .pause(seconds: end.seconds(since: .now)),
                unless: { self.progress.withLock { $0.isRetryWanted } })
        }
    }

    private func enter(_ state: State) async {
        let hasChanged = progress.withLock { progress in
            defer { progress.state = state }
            return progress.state != state
        }
        if hasChanged { await handlers.onState(state) }
    }
}
