public import PrefectAPI
internal import Synchronization

/// What the worker knows of a pool at the moment, and how its loops are doing; read by probes, written by the loops.
public final class PoolState: Sendable {
    private struct State {
        var pool: WorkPool?
        var trouble: String?
        var pollTrouble: String?
        var hasPolled = false
        var workerID: String?
        var hasLostQueues = false
        var lastTick = ContinuousClock.now
        var pollingHasEnded = false
    }

    private let state = Mutex(State())
    private let infrastructureTrouble: @Sendable () -> String?

    /// A pool of which nothing is known yet; `infrastructureTrouble` says why nothing can be started at the moment.
    public init(infrastructureTrouble: @escaping @Sendable () -> String? = { nil }) {
        self.infrastructureTrouble = infrastructureTrouble
    }

    /// The pool as the API last described it.
    public var pool: WorkPool? { state.withLock { $0.pool } }

    /// The worker's id, where the API has given one.
    public var workerID: String? { state.withLock { $0.workerID } }

    /// Why the pool cannot be served at the moment, in one line; `nil` when it can.
    public var trouble: String? {
        let trouble = state.withLock { state in
            state.trouble ?? state.pollTrouble ?? (state.pool == nil ? "the work pool has not been read yet" : nil)
        }
        return trouble ?? infrastructureTrouble()
    }

    /// How long ago the poll loop last made progress, an attempt that failed included; zero when it has ended, since
    /// nothing more is expected of it.
    public var timeSinceTick: Duration {
        state.withLock { $0.pollingHasEnded ? .zero : ContinuousClock.now - $0.lastTick }
    }

    /// Whether an attempt to read the pool has failed since it was last read.
    var hasFailedToRead: Bool { state.withLock { $0.trouble != nil } }

    /// Whether the pool was polled successfully at least once.
    public var hasPolled: Bool { state.withLock { $0.hasPolled } }

    func tick() { state.withLock { $0.lastTick = .now } }

    func endPolling() { state.withLock { $0.pollingHasEnded = true } }

    func setPool(_ pool: WorkPool?, trouble: String?) {
        state.withLock { state in
            if let pool { state.pool = pool }
            state.trouble = trouble
        }
    }

    func setPollTrouble(_ trouble: String?) {
        state.withLock { state in
            state.pollTrouble = trouble
            if trouble == nil { state.hasPolled = true }
        }
    }

    /// Whether the last poll failed.
    var hasPollTrouble: Bool { state.withLock { $0.pollTrouble != nil } }

    /// Whether the pool is known, and one that this worker can serve.
    var hasServablePool: Bool { state.withLock { $0.trouble == nil && $0.pool != nil } }

    /// Whether the pool may be polled, since what it returns could be started.
    var isServable: Bool { hasServablePool && infrastructureTrouble() == nil }

    /// Whether a poll was told that the pool or one of its queues does not exist.
    var hasLostQueues: Bool { state.withLock { $0.hasLostQueues } }

    func setLostQueues(_ areLost: Bool) { state.withLock { $0.hasLostQueues = areLost } }

    func setWorkerID(_ id: String) { state.withLock { $0.workerID = id } }
}
