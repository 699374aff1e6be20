package import PrefectJSON

extension WorkerChannel {
    /// The description of itself that a worker sends when it connects. Mirrors `worker.hello.v1`.
    package struct Identity: Sendable {
        /// A UUID that stays the same for the life of the process, across all connections.
        package var consumerID: String
        /// The worker's name, unique within the pool; not empty.
        package var workerName: String
        /// The type of infrastructure; not empty.
        package var workerType: String
        /// The requested interval between heartbeats, in whole seconds from 1; the server decides.
        package var heartbeatIntervalSeconds: Int {
            didSet { heartbeatIntervalSeconds = max(1, heartbeatIntervalSeconds) }
        }
        /// The names of the queues to poll, each of which must exist; empty means all.
        package var workQueueNames: [String]
        /// Whether the server creates a missing pool.
        package var createsPool: Bool
        /// The template for a pool that the server creates, or that has no template. Without both `job_configuration`
        /// and `variables`, the server could not create a pool, and its answer would only request another attempt. So
        /// the worker does not request the creation then.
        package var defaultTemplate: JSONValue
        /// The kinds of cleanups that the worker can do: values of ``CleanupMessage/Kind``. If this is empty, or the
        /// concurrency is 0, the worker requests no cleanups.
        package var handledCleanupKinds: [String]
        /// The maximum number of concurrent cleanups.
        package var maxCleanupConcurrency: Int

        /// The consumer id of this process.
        package static let processConsumerID = UUIDv7.make()

        package init(
            workerName: String, workerType: String, heartbeatIntervalSeconds: Int, workQueueNames: [String] = [],
            createsPool: Bool, defaultTemplate: JSONValue, handledCleanupKinds: [String] = [],
            maxCleanupConcurrency: Int = 0, consumerID: String = Identity.processConsumerID
        ) {
            self.consumerID = consumerID
            self.workerName = workerName
            self.workerType = workerType
            self.heartbeatIntervalSeconds = max(1, heartbeatIntervalSeconds)
            self.workQueueNames = workQueueNames
            let isUsable = defaultTemplate["job_configuration"] != nil && defaultTemplate["variables"] != nil
            self.createsPool = createsPool && isUsable
            self.defaultTemplate = isUsable ? defaultTemplate : [:]
            self.handledCleanupKinds = handledCleanupKinds
            self.maxCleanupConcurrency = max(0, maxCleanupConcurrency)
        }
    }

    /// The reason why the server sent a snapshot of a pool: `initial`, `work_pool_updated`, `work_pool_deleted`,
    /// `heartbeat_reconciliation`, or a value of later servers.
    package struct SnapshotReason: RawRepresentable, Sendable, Hashable {
        package let rawValue: String

        package init(rawValue: String) { self.rawValue = rawValue }

        /// The channel has become healthy.
        package static let initial = SnapshotReason(rawValue: "initial")
        /// The pool has been changed.
        package static let updated = SnapshotReason(rawValue: "work_pool_updated")
        /// The pool was deleted. The snapshot shows the pool before that.
        package static let deleted = SnapshotReason(rawValue: "work_pool_deleted")
        /// The server noticed a change only at a heartbeat.
        package static let reconciliation = SnapshotReason(rawValue: "heartbeat_reconciliation")
    }

    /// The handlers of the channel's notifications. Each handler except ``onCleanup`` is awaited before the connection
    /// reads another frame.
    package struct Handlers: Sendable {
        /// Receives the pool's current state: when the channel becomes healthy, and when template, pause, limit or
        /// storage change.
        package var onSnapshot: @Sendable (WorkPool, SnapshotReason) async -> Void
        /// Receives the worker's id, which only Cloud assigns, each time the channel becomes healthy.
        package var onWorkerID: @Sendable (String) async -> Void
        /// Removes the remaining infrastructure of a run. It is cancelled when the lease ends. An error that it throws
        /// releases the cleanup.
        package var onCleanup: @Sendable (CleanupMessage) async throws -> CleanupVerdict
        /// Receives the channel's state after each change.
        package var onState: @Sendable (State) async -> Void

        /// Creates handlers. An omitted handler does nothing; an omitted ``onCleanup`` releases each cleanup.
        package init(
            onSnapshot: @escaping @Sendable (WorkPool, SnapshotReason) async -> Void = { _, _ in },
            onWorkerID: @escaping @Sendable (String) async -> Void = { _ in },
            onCleanup: @escaping @Sendable (CleanupMessage) async throws -> CleanupVerdict = { _ in
                .release(reason: CleanupVerdict.Reason.unsupportedWorkerType)
            },
            onState: @escaping @Sendable (State) async -> Void = { _ in }
        ) {
            self.onSnapshot = onSnapshot
            self.onWorkerID = onWorkerID
            self.onCleanup = onCleanup
            self.onState = onState
        }
    }
}
