package import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON
internal import Synchronization

/// The worker's current knowledge of a pool, and the progress of its loops. The loops write it and probes read it.
package final class PoolState: Sendable {
    private struct State {
        var pool: WorkPool?
        var unavailableReason: String?
        var isMissing = false
        var pollFailure: String?
        var hasPolled = false
        var workerID: String?
        var hasLostQueues = false
        var lastTick = ContinuousClock.now
        var pollingHasEnded = false
        var idle = IdleTime()

        var isServable: Bool { unavailableReason == nil && pool != nil }
    }

    private let state = ObservedValue(State())
    /// When the pool became unavailable, as far as anything has looked.
    private let outageBegin = Mutex<Timestamp?>(nil)
    private let infrastructureUnavailableReason: @Sendable () -> String?

    /// A pool of which nothing is known yet. `infrastructureUnavailableReason` returns why nothing can be started at the moment.
    package init(infrastructureUnavailableReason: @escaping @Sendable () -> String? = { nil }) {
        self.infrastructureUnavailableReason = infrastructureUnavailableReason
    }

    /// The pool as the API last described it.
    package var pool: WorkPool? { state.value.pool }

    /// The worker's id, where the API has assigned one.
    package var workerID: String? { state.value.workerID }

    /// Why the pool cannot be served at the moment, in one line; `nil` when it can.
    package var unavailableReason: String? { outage?.reason }

    /// Why the pool cannot be served at the moment, in one line, and since when; `nil` when it can. The time is exact
    /// to the interval of polls.
    var outage: (reason: String, since: Timestamp)? {
        let state = state.value
        let reason =
            state.unavailableReason ?? state.pollFailure
            ?? (state.pool == nil ? "the work pool has not been read yet" : infrastructureUnavailableReason())
        let since = outageBegin.withLock { begin in
            begin = reason == nil ? nil : begin ?? .now
            return begin
        }
        guard let reason, let since else { return nil }
        return (reason, since)
    }

    /// The time since the poll loop last made progress, which includes a failed attempt. Zero when the loop has ended,
    /// since no further progress is expected.
    package var timeSinceTick: Duration {
        let state = state.value
        return state.pollingHasEnded ? .zero : ContinuousClock.now - state.lastTick
    }

    /// Whether an attempt to read the pool has failed since it was last read.
    var hasFailedToRead: Bool { state.value.unavailableReason != nil }

    /// Whether the pool was polled successfully at least once.
    package var hasPolled: Bool { state.value.hasPolled }

    /// For how long polls have found nothing to do.
    var idleTime: Duration { state.value.idle.total }

    func noteIdleness(_ change: (inout IdleTime) -> Void) { state.update { change(&$0.idle) } }

    func tick() {
        state.update { $0.lastTick = .now }
        // Notes an outage of the infrastructure, or its end.
        _ = outage
    }

    func endPolling() { state.update { $0.pollingHasEnded = true } }

    /// Whether the pool does not exist and the worker must not create it, which is not a fault of the worker.
    package var isMissing: Bool { state.value.isMissing }

    /// Waits until the API has described the pool, or until the task is cancelled.
    func waitUntilKnown() async { await state.wait { $0.pool != nil } }

    func setPool(_ pool: WorkPool?, unavailableReason: String?, isMissing: Bool = false) {
        state.update { state in
            if let pool { state.pool = pool }
            state.unavailableReason = unavailableReason
            state.isMissing = isMissing
        }
    }

    /// Waits until the pool is known and its runs can be started, or until the task is cancelled.
    func waitUntilServable() async {
        while !Task.isCancelled {
            await state.wait { $0.isServable }
            if isServable { return }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    func setPollFailure(_ unavailableReason: String?) {
        state.update { state in
            state.pollFailure = unavailableReason
            if unavailableReason == nil { state.hasPolled = true }
        }
    }

    /// Whether the last poll failed.
    var hasPollFailure: Bool { state.value.pollFailure != nil }

    /// Whether the pool is known and this worker can serve it.
    var hasServablePool: Bool { state.value.isServable }

    /// Whether the pool may be polled, because the worker could start the returned runs.
    var isServable: Bool { hasServablePool && infrastructureUnavailableReason() == nil }

    /// Whether a poll has found that the pool or one of its queues does not exist.
    var hasLostQueues: Bool { state.value.hasLostQueues }

    func setLostQueues(_ areLost: Bool) { state.update { $0.hasLostQueues = areLost } }

    func setWorkerID(_ id: String) { state.update { $0.workerID = id } }
}
