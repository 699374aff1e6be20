internal import JobTemplates
internal import Logging
internal import OrderedCollections
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON
internal import Synchronization

/// A pool's worker channel. While it is open, heartbeats go over it and the pool's changes arrive over it.
final class PoolChannel: Sendable {
    /// Handles the pool as the channel reports it.
    typealias Taker = @Sendable (WorkPool) -> Void

    /// The channel's connection.
    let connection: Connection
    private let live: ObservedValue<ServedPool>
    private let workerType: String
    private let defaultTemplate: BaseJobTemplate
    private let services: WorkerServices
    private let state: PoolState
    private let cleanup: (kinds: [String], handler: @Sendable (CleanupMessage) async throws -> CleanupVerdict)
    private let current = Mutex<WorkerChannel?>(nil)
    private let isUncertain = Mutex(false)
    private let isPausing = Mutex(false)
    private let search = Mutex(Search())
    private let uncertainty = AsyncSignal()

    init(
        live: ObservedValue<ServedPool>, workerType: String, defaultTemplate: BaseJobTemplate, services: WorkerServices,
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

    /// Maintains the channel until the task is cancelled.
    func run(_ take: @escaping Taker) async {
        let served = live.value
        let identity = WorkerChannel.Identity(
            workerName: served.workerName, workerType: workerType,
            heartbeatIntervalSeconds: served.heartbeatSeconds, workQueueNames: served.queues,
            // The API does not know whether runs could be started, so only the synchronizer creates pools.
            createsPool: false, defaultTemplate: defaultTemplate.json,
            handledCleanupKinds: cleanup.kinds, maxCleanupConcurrency: cleanup.kinds.isEmpty ? 0 : 1)
        let handlers = WorkerChannel.Handlers(
            onSnapshot: { pool, reason in
                // The report of a deleted pool is out of date. A request reads the current state, and creates the pool
                // again.
                if reason != .deleted { take(pool) }
                if reason == .deleted || pool.baseJobTemplate.isEmpty { self.invalidate() }
            },
            onWorkerID: { [state] id in state.setWorkerID(id) },
            onCleanup: cleanup.handler,
            onState: { state in
                let wasLive = self.connection.isLive
                self.enter(state, wasLive: wasLive)
                // The pool may have been deleted, which the server does not state explicitly.
                if wasLive, !self.connection.isLive { self.invalidate() }
            })
        let channel = WorkerChannel(
            api: services.api, poolName: served.name, identity: identity, handlers: handlers)
        current.withLock { $0 = channel }
        await channel.run()
    }

    /// The pool as requests outside the channel have found it.
    private struct Search {
        /// The id of the pool that the last request found.
        var found: String?
        /// The refusal that may mean a missing pool; the next request shows whether it does.
        var refusal: ConnectionState?
    }

    /// Records a state of the channel. For a refusal because of a missing pool, the log only reports that the pool is
    /// missing.
    private func enter(_ state: WorkerChannel.State, wasLive: Bool) {
        let new = state.map(ConnectionOutage.init)
        if let outage = state.outage { services.logger.debug("\(connection.name): \(outage)") }
        let isForWantOfPool = search.withLock { search in
            search.refusal = nil
            guard case .refused(let outage) = state, outage.reason == .authorizationFailed,
                wasLive || search.found == nil
            else { return false }
            search.refusal = new
            return true
        }
        connection.set(new, quietly: isForWantOfPool)
    }

    /// Records which pool a request has found, if any. A different pool than before may accept the channel.
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

    /// Retries at once while the channel waits, for example after the pool was created again or the credentials
    /// changed.
    func retryNow() { current.withLock { $0 }?.retryNow() }

    /// Whether the state of the pool is certain without a request. If not, the caller must send a request, because this
    /// call resets the uncertainty.
    func isPoolCurrent() -> Bool {
        let isUncertain = isUncertain.withLock { isUncertain in
            defer { isUncertain = false }
            return isUncertain
        }
        return connection.isLive && !isUncertain && !state.hasFailedToRead
    }

    private func invalidate() {
        isUncertain.withLock { $0 = true }
        uncertainty.signal()
    }

    /// Waits until the worker has to read the pool with a request, until a time is over, or until the task is
    /// cancelled. After a failure, it also ends when the API is available again.
    func waitForInvalidation(atMost duration: Duration, afterFailure: Bool = false) async {
        isPausing.withLock { $0 = afterFailure }
        await uncertainty.wait(atMost: duration)
        isPausing.withLock { $0 = false }
    }

    /// Ends the pause after a failed request, because the API is available again.
    func endPauseAfterFailure() {
        if isPausing.withLock({ $0 }) { uncertainty.signal() }
    }
}

extension ServedPool {
    /// The interval of the heartbeats in seconds, as the API requires it.
    var heartbeatSeconds: Int { max(1, Int(heartbeatInterval.inSeconds.rounded(.up))) }
}
