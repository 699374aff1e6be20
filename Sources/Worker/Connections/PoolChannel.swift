internal import JSON
internal import JobTemplates
internal import PrefectAPI
internal import Synchronization

/// A pool's worker channel: while it is there, heartbeats go over it and the pool's changes come over it.
final class PoolChannel: Sendable {
    /// What is done with the pool as the channel tells it.
    typealias Taker = @Sendable (WorkPool) -> Void

    /// How it is.
    let connection: Connection
    private let live: Live<ServedPool>
    private let workerType: String
    private let defaultTemplate: BaseJobTemplate
    private let services: WorkerServices
    private let state: PoolState
    private let cleanup: (kinds: [String], handler: @Sendable (CleanupMessage) async throws -> CleanupVerdict)
    private let current = Mutex<WorkerChannel?>(nil)
    private let isInDoubt = Mutex(false)
    private let doubt = Wakeup()

    init(
        live: Live<ServedPool>, workerType: String, defaultTemplate: BaseJobTemplate, services: WorkerServices,
        state: PoolState,
        cleanup: (kinds: [String], handler: @Sendable (CleanupMessage) async throws -> CleanupVerdict)
    ) {
        self.live = live
        self.workerType = workerType
        self.defaultTemplate = defaultTemplate
        self.services = services
        self.state = state
        self.cleanup = cleanup
        connection = Connection(
            "The worker channel of work pool '\(live.value.name)'", logger: services.logger, redact: services.redact)
    }

    /// Keeps the channel, until the task is cancelled.
    func run(_ take: @escaping Taker) async {
        let served = live.value
        let identity = WorkerChannel.Identity(
            workerName: served.workerName, workerType: workerType,
            heartbeatIntervalSeconds: served.heartbeatSeconds, workQueueNames: served.queues,
            createsPool: served.createsPool, defaultTemplate: served.baseJobTemplate ?? defaultTemplate.json,
            handledCleanupKinds: cleanup.kinds, maxCleanupConcurrency: cleanup.kinds.isEmpty ? 0 : 1)
        let handlers = WorkerChannel.Handlers(
            onSnapshot: { pool, reason in
                // What was deleted is not as it was any more: a request tells what there is now, and makes it anew.
                if reason != .deleted { take(pool) }
                if reason == .deleted || !pool.hasTemplate { self.raiseDoubt() }
            },
            onWorkerID: { [state] id in state.setWorkerID(id) },
            onCleanup: cleanup.handler,
            onState: { state in
                let wasLive = self.connection.isLive
                self.connection.set(ConnectionState(state))
                // The pool may be gone, which the server does not say in so many words.
                if wasLive, !self.connection.isLive { self.raiseDoubt() }
            })
        let channel = WorkerChannel(
            api: services.api, poolName: served.name, identity: identity, handlers: handlers)
        current.withLock { $0 = channel }
        await channel.run()
    }

    /// Tries again at once, when it waits: the pool was made anew, or the credentials were changed, say.
    func retryNow() { current.withLock { $0 }?.retryNow() }

    /// Whether nothing has to be asked about the pool; whoever asks this asks the API, if not.
    func vouchesForPool() -> Bool {
        let isInDoubt = isInDoubt.withLock { isInDoubt in
            defer { isInDoubt = false }
            return isInDoubt
        }
        return connection.isLive && !isInDoubt && !state.hasFailedToRead
    }

    private func raiseDoubt() {
        isInDoubt.withLock { $0 = true }
        doubt.signal()
    }

    /// Waits until the API has to be asked about the pool, for a time to be over, or for the task's cancellation.
    func waitForDoubt(atMost duration: Duration) async { await doubt.wait(atMost: duration) }
}

extension ServedPool {
    /// How often heartbeats are sent, as the API takes it.
    var heartbeatSeconds: Int { max(1, Int(heartbeatInterval.inSeconds.rounded(.up))) }
}
