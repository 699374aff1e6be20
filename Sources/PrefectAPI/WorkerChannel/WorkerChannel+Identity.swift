public import JSON

extension WorkerChannel {
    /// What a worker tells the server when it connects. Mirrors `worker.hello.v1`.
    public struct Identity: Sendable {
        /// A UUID that stays the same for the life of the process, whatever happens to connections.
        public var consumerID: String
        /// The worker's name, unique within the pool; not empty.
        public var workerName: String
        /// The type of infrastructure; not empty.
        public var workerType: String
        /// How often heartbeats are to come, in whole seconds from 1; the server has the last word.
        public var heartbeatIntervalSeconds: Int {
            didSet { heartbeatIntervalSeconds = max(1, heartbeatIntervalSeconds) }
        }
        /// The queues to look into, each of which must exist; empty means all.
        public var workQueueNames: [String]
        /// Whether the server creates a pool that is missing.
        public var createsPool: Bool
        /// The template of a pool that is created, or has none. Without both `job_configuration` and `variables` the
        /// server could not create one, and would say no more than to try again; so it is not asked to.
        public var defaultTemplate: JSONValue
        /// What the worker can clean up: values of ``CleanupMessage/Kind``. Empty, or a concurrency of 0, asks for none.
        public var handledCleanupKinds: [String]
        /// How many cleanups the worker takes at a time.
        public var maxCleanupConcurrency: Int

        /// The consumer id of this process.
        public static let processConsumerID = UUIDv7.make()

        /// An identity.
        public init(
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

    /// Why the server tells about a pool: `initial`, `work_pool_updated`, `work_pool_deleted`,
    /// `heartbeat_reconciliation`, or what later servers have.
    public struct SnapshotReason: RawRepresentable, Sendable, Hashable {
        public let rawValue: String

        public init(rawValue: String) { self.rawValue = rawValue }

        /// The channel has become healthy.
        public static let initial = SnapshotReason(rawValue: "initial")
        /// The pool has been changed.
        public static let updated = SnapshotReason(rawValue: "work_pool_updated")
        /// The pool is as it was before it was deleted.
        public static let deleted = SnapshotReason(rawValue: "work_pool_deleted")
        /// A change had gone unnoticed until a heartbeat.
        public static let reconciliation = SnapshotReason(rawValue: "heartbeat_reconciliation")
    }

    /// What becomes known over the channel. Each is awaited before anything else is read from the connection.
    public struct Handlers: Sendable {
        /// The pool, as it is now: when the channel becomes healthy, and when template, pause, limit or storage change.
        public var onSnapshot: @Sendable (WorkPool, SnapshotReason) async -> Void
        /// The worker's id, which only Cloud has: each time the channel becomes healthy.
        public var onWorkerID: @Sendable (String) async -> Void
        /// Removes what is left of a run. It is cancelled when the lease ends; what it throws gives the cleanup back.
        public var onCleanup: @Sendable (CleanupMessage) async throws -> CleanupVerdict
        /// The channel's state has changed.
        public var onState: @Sendable (State) async -> Void

        /// Handlers; what is left out does nothing, and gives cleanups back.
        public init(
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

    /// How the channel is.
    public enum State: Sendable, Hashable {
        /// Not yet there, or on the way back.
        case connecting
        /// Heartbeats and snapshots go over it, and nothing of that needs REST.
        case healthy(since: Timestamp)
        /// Lost for a moment; the next attempt comes at this time.
        case waiting(until: Timestamp, ChannelOutage)
        /// Not to be had; tried again every few minutes, which does not show until it works.
        case unavailable(ChannelOutage)
        /// Its task is over.
        case stopped

        /// Why it is not there, when it is not.
        public var outage: ChannelOutage? {
            switch self {
            case .waiting(_, let outage), .unavailable(let outage): outage
            case .connecting, .healthy, .stopped: nil
            }
        }
    }
}
