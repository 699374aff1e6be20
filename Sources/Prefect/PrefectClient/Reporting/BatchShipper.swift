package import CoreMetrics
internal import DequeModule
package import Logging
internal import PrefectConcurrency
internal import Synchronization

/// Sends items, such as log lines or events, to the API in batches.
///
/// Items are kept in order. A batch is sent a while after its first item arrived, or as soon as it is large enough. A
/// batch that the API does not accept for now is kept, and retried without a time limit.
///
/// Memory is bounded during an outage of any length. Beside the batch in flight, at most ``Limits/backlogItems`` items
/// and ``Limits/backlogBytes`` bytes wait; a single item always may. When more arrive, the oldest are dropped first.
/// The log reports when dropping begins. It reports the number of dropped items when the API accepts items again.
///
/// A batch that the API refuses permanently is sent again in halves, down to single items. Only items that are refused
/// alone are dropped, and the log reports them. When the API accepts no part of the batch in
/// `BatchBisector.maximumRefusals` attempts, the rest of the batch is dropped too.
package final class BatchShipper<Item: Sendable>: Sendable {
    /// The limits of batches and of waiting items.
    package struct Limits: Sendable, Hashable {
        /// The time that a batch waits for further items, from its first item.
        package var interval: Duration
        /// The size in bytes at which a batch is sent at once.
        package var batchBytes: Int
        /// The maximum number of items in a batch.
        package var batchItems: Int
        /// The maximum number of waiting bytes.
        package var backlogBytes: Int
        /// The maximum number of waiting items.
        package var backlogItems: Int

        package init(
            interval: Duration, batchBytes: Int, batchItems: Int, backlogBytes: Int, backlogItems: Int
        ) {
            self.interval = interval
            self.batchBytes = batchBytes
            self.batchItems = batchItems
            self.backlogBytes = backlogBytes
            self.backlogItems = backlogItems
        }
    }

    private typealias Entry = (item: Item, bytes: Int)

    private struct State {
        var queue: Deque<Entry> = []
        var bytes = 0
        var dropped = 0
        var bisector = BatchBisector()
        var isClosing = false

        mutating func removeFirst(_ count: Int) {
            for entry in queue.prefix(count) { bytes -= entry.bytes }
            queue.removeFirst(count)
        }

        /// Puts a batch back to the front of the queue. Returns the number of items that were dropped for it.
        mutating func reinsert(_ batch: [Entry], limits: Limits) -> Int {
            queue.insert(contentsOf: batch, at: 0)
            bytes += batch.reduce(0) { $0 + $1.bytes }
            return trim(to: limits)
        }

        /// Drops the oldest items beyond the limits. Returns the number of dropped items.
        mutating func trim(to limits: Limits) -> Int {
            var surplus = max(0, queue.count - limits.backlogItems)
            var rest = queue.prefix(surplus).reduce(bytes) { $0 - $1.bytes }
            while rest > limits.backlogBytes, surplus < queue.count - 1 {
                rest -= queue[surplus].bytes
                surplus += 1
            }
            guard surplus > 0 else { return 0 }
            removeFirst(surplus)
            bisector.forget(surplus)
            dropped += surplus
            return surplus
        }
    }

    private let limits: Limits
    private let state = Mutex(State())
    private let wakeup = AsyncSignal()
    private let deliver: @Sendable ([Item]) async -> BatchDelivery
    private let isImmediate: @Sendable () -> Bool
    private let reachability: APIReachability?
    private let logger: Logger
    private let name: String
    private let lost: Counter

    /// Creates a shipper; ``run()`` does the work.
    ///
    /// - Parameters:
    ///   - name: The name of the items, for log messages and metrics.
    ///   - limits: The limits of batches and of waiting items.
    ///   - metrics: Counts the lost items.
    ///   - isImmediate: Whether an immediate route is currently open, so that a batch need not wait for further items.
    ///   - logger: Receives one line about each loss.
    ///   - deliver: Sends a batch to the API.
    package convenience init(
        name: String, limits: Limits, metrics: any MetricsFactory = MetricsSystem.factory,
        isImmediate: @escaping @Sendable () -> Bool = { false },
        logger: Logger, deliver: @escaping @Sendable ([Item]) async -> BatchDelivery
    ) {
        self.init(
            name: name, limits: limits, metrics: metrics, isImmediate: isImmediate, reachability: nil, logger: logger,
            deliver: deliver)
    }

    /// Creates a shipper whose pauses between attempts end when `reachability` reports that the API is available again.
    init(
        name: String, limits: Limits, metrics: any MetricsFactory = MetricsSystem.factory,
        isImmediate: @escaping @Sendable () -> Bool = { false }, reachability: APIReachability?,
        logger: Logger, deliver: @escaping @Sendable ([Item]) async -> BatchDelivery
    ) {
        self.name = name
        lost = Counter(
            label: "prefect_worker_backlog_lost_total", dimensions: [("kind", name.replacing(" ", with: "_"))],
            factory: metrics)
        self.limits = limits
        self.isImmediate = isImmediate
        self.reachability = reachability
        self.logger = logger
        self.deliver = deliver
    }

    /// Queues an item; never waits.
    package func add(_ item: Item, bytes: Int) {
        let isWorthWaking = state.withLock { state in
            state.queue.append((item, bytes))
            state.bytes += bytes
            lost.increment(by: state.trim(to: limits))
            return state.queue.count == 1 || state.bytes >= limits.batchBytes || state.queue.count == limits.batchItems
        }
        if isWorthWaking { wakeup.signal() }
    }

    /// The number of waiting items.
    package var backlog: Int { state.withLock { $0.queue.count } }

    /// The number of waiting bytes.
    package var backlogBytes: Int { state.withLock { $0.bytes } }

    /// Makes ``run()`` check again whether a batch has to wait.
    package func reconsider() { wakeup.signal() }

    /// Makes ``run()`` deliver the waiting items, without waiting for further ones, and then return.
    package func close() {
        state.withLock { $0.isClosing = true }
        wakeup.signal()
    }

    /// Delivers items until ``close()`` was called and no items wait, or until its task is cancelled.
    package func run() async {
        guard let reachability else { return await keepDelivering() }
        await reachability.whileObserving({ [wakeup] in wakeup.signal() }) { await keepDelivering() }
    }

    private func keepDelivering() async {
        var failures = 0
        var hasReportedDropping = false
        while !Task.isCancelled {
            let (isClosing, isSearching) = state.withLock { ($0.isClosing, $0.bisector.isSearching) }
            if backlog == 0 {
                if isClosing { break }
                await wakeup.wait()
                continue
            }
            if !isClosing, !isSearching, failures == 0 { await gather() }
            if Task.isCancelled { break }
            let batch = takeBatch()
            let begun = reachability?.returns ?? 0
            let wasImmediate = isImmediate()
            switch await deliver(batch.map(\.item)) {
            case .delivered:
                failures = 0
                hasReportedDropping = false
                state.withLock { $0.bisector.delivered() }
                reportDropped()
                reportRefused()
            case .refused(let reason):
                failures = 0
                sift(batch, refusedFor: reason)
                reportRefused()
            case .postponed(let asked):
                putBack(batch)
                if !hasReportedDropping { hasReportedDropping = reportDropping() }
                failures += 1
                let backoff = Jitter.clampedPoisson(
                    mean: Backoff(from: .seconds(2), to: .seconds(60)).pause(afterFailures: failures).inSeconds,
                    factor: 0.3, random: .random(in: 0..<1))
                let ordinary = asked ?? .seconds(backoff)
                let pause = asked == nil ? reachability?.nextPause(ordinary, since: begun, isPersistent: true) : nil
                // Closing ends one pause early; later pauses separate the last attempts. A route that was already open
                // is no reason to retry. The end of an outage does not shorten a pause that the API requested.
                let isStillImmediate = wasImmediate && isImmediate()
                await wakeup.wait(
                    atMost: pause?.duration ?? ordinary,
                    unless: {
                        !isClosing && self.state.withLock { $0.isClosing } || !isStillImmediate && self.isImmediate()
                            || pause.map { $0.returns != self.reachability?.returns } == true
                    })
            }
        }
        reportDropped()
    }

    /// Waits for further items until the interval is over or the batch is full.
    private func gather() async {
        let deadline = ContinuousClock.now + limits.interval
        while !Task.isCancelled {
            let isReady = state.withLock {
                $0.isClosing || $0.bytes >= limits.batchBytes || $0.queue.count >= limits.batchItems
            }
            let rest = deadline - ContinuousClock.now
            if isReady || rest <= .zero || isImmediate() { return }
            await wakeup.wait(atMost: rest)
        }
    }

    private func takeBatch() -> [Entry] {
        state.withLock { state in
            let batch = Array(state.queue.prefix(state.bisector.take() ?? fullBatch(of: state)))
            state.removeFirst(batch.count)
            return batch
        }
    }

    private func fullBatch(of state: State) -> Int {
        var count = 0
        var bytes = 0
        for entry in state.queue.prefix(limits.batchItems) {
            if count > 0, bytes + entry.bytes > limits.batchBytes { break }
            count += 1
            bytes += entry.bytes
        }
        return count
    }

    private func putBack(_ batch: [Entry]) {
        state.withLock { state in
            state.bisector.postponed()
            lost.increment(by: state.reinsert(batch, limits: limits))
        }
    }

    /// Continues the search for the refused items of a batch.
    private func sift(_ batch: [Entry], refusedFor reason: String) {
        state.withLock { state in
            switch state.bisector.refused(batch.count, reason: reason) {
            case .halve: lost.increment(by: state.reinsert(batch, limits: limits))
            case .drop(let following): state.removeFirst(min(following, state.queue.count))
            }
        }
    }

    private func reportRefused() {
        guard let loss = state.withLock({ $0.bisector.conclude() }) else { return }
        lost.increment(by: loss.count)
        logger.warning("\(loss.count) \(name) were refused by the API and are lost: \(loss.reason)")
    }

    /// Reports that items are being dropped, if they are. Returns whether it did.
    private func reportDropping() -> Bool {
        guard state.withLock({ $0.dropped > 0 }) else { return false }
        logger.warning(
            """
            The oldest \(name) are being lost: the API accepts none, and the worker keeps at most \
            \(limits.backlogItems) of them or \(limits.backlogBytes >> 10) KiB
            """)
        return true
    }

    private func reportDropped() {
        let dropped = state.withLock { state in
            defer { state.dropped = 0 }
            return state.dropped
        }
        if dropped > 0 {
            logger.warning(
                "\(dropped) \(name) were lost: the API accepted none for so long that the memory for them was full")
        }
    }
}

/// The result of a delivery.
package enum BatchDelivery: Sendable {
    /// The batch arrived.
    case delivered
    /// The API will never accept the batch as it is, for this reason.
    case refused(reason: String)
    /// The API did not accept the batch this time. Retry it, after this time if the API requested one.
    case postponed(after: Duration?)
}
