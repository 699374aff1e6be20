internal import JSON
internal import JobTemplates
internal import Logging
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
    private let isPausing = Mutex(false)
    private let search = Mutex(Search())
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
            // The API does not know whether runs could be started: the synchronizer alone creates pools.
            createsPool: false, defaultTemplate: defaultTemplate.json,
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
                self.enter(state, wasLive: wasLive)
                // The pool may be gone, which the server does not say in so many words.
                if wasLive, !self.connection.isLive { self.raiseDoubt() }
            })
        let channel = WorkerChannel(
            api: services.api, poolName: served.name, identity: identity, handlers: handlers)
        current.withLock { $0 = channel }
        await channel.run()
    }

    /// The pool as requests beside the channel have found it.
    private struct Search {
        /// The id of the pool that a request has found last.
        var found: String?
        /// The refusal may mean a missing pool; the next request shows whether it does.
        var refusal: ConnectionState?
    }

    /// Notes a state of the channel. A refusal for a missing pool is logged as the pool's absence alone.
    private func enter(_ state: WorkerChannel.State, wasLive: Bool) {
        let new = ConnectionState(state)
        if let outage = state.outage { services.logger.debug("\(connection.name): \(outage)") }
        let isForWantOfPool = search.withLock { search in
            search.refusal = nil
            guard case .unavailable(let outage) = state, outage.reason == .authorizationFailed,
                wasLive || search.found == nil
            else { return false }
            search.refusal = new
            return true
        }
        connection.set(new, quietly: isForWantOfPool)
    }

    /// Notes which pool a request has found, if any. Another one than before may have the channel.
    func note(foundPool id: String?) {
        let (isOther, refusal) = search.withLock { search in
            defer {
                search.found = id
                search.refusal = nil
            }
            return (search.found != id, search.refusal)
        }
        guard id != nil else { return }
        if isOther { retryNow() } else if let refusal { connection.set(refusal) }
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

    /// Waits until the API has to be asked about the pool, for a time to be over, or for the task's cancellation; after a
    /// failure also until the API is back.
    func waitForDoubt(atMost duration: Duration, afterFailure: Bool = false) async {
        isPausing.withLock { $0 = afterFailure }
        await doubt.wait(atMost: duration)
        isPausing.withLock { $0 = false }
    }

    /// Lets a question be asked at once that has failed: the API is back.
    func endPauseAfterFailure() {
        if isPausing.withLock({ $0 }) { doubt.signal() }
    }
}

extension ServedPool {
    /// How often heartbeats are sent, as the API takes it.
    var heartbeatSeconds: Int { max(1, Int(heartbeatInterval.inSeconds.rounded(.up))) }
}
