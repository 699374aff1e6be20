internal import DequeModule
internal import Synchronization

/// What waits to be told to the API, told in batches: log lines, events.
///
/// Items are kept in order and in bounded memory. A batch goes out a while after its first item came, or as soon as it
/// is large enough; one that the API does not take for the moment is kept and tried again for as long as it takes.
/// When more waits than fits, the oldest items are dropped and counted.
public final class BatchShipper<Item: Sendable>: Sendable {
    /// How items are gathered.
    public struct Limits: Sendable, Hashable {
        /// How long a batch waits for company, from its first item.
        public var interval: Duration
        /// The size at which a batch goes out at once.
        public var batchBytes: Int
        /// How many items a batch has at most.
        public var batchItems: Int
        /// How many bytes may wait.
        public var backlogBytes: Int

        /// Limits.
        public init(interval: Duration, batchBytes: Int, batchItems: Int, backlogBytes: Int) {
            self.interval = interval
            self.batchBytes = batchBytes
            self.batchItems = batchItems
            self.backlogBytes = backlogBytes
        }
    }

    private struct State {
        var queue: Deque<(item: Item, bytes: Int)> = []
        var bytes = 0
        var dropped = 0
        var isClosing = false
    }

    private let limits: Limits
    private let state = Mutex(State())
    private let wakeup = Wakeup()
    private let deliver: @Sendable ([Item]) async -> BatchDelivery
    private let notice: @Sendable (String) -> Void
    private let name: String

    /// A shipper; ``run()`` does the work. `notice` is told, in one line, what was lost.
    public init(
        name: String, limits: Limits, notice: @escaping @Sendable (String) -> Void,
        deliver: @escaping @Sendable ([Item]) async -> BatchDelivery
    ) {
        self.name = name
        self.limits = limits
        self.notice = notice
        self.deliver = deliver
    }

    /// Queues an item; never waits.
    public func add(_ item: Item, bytes: Int) {
        let isWorthWaking = state.withLock { state in
            state.queue.append((item, bytes))
            state.bytes += bytes
            var surplus = 0
            while state.bytes > limits.backlogBytes, surplus < state.queue.count - 1 {
                state.bytes -= state.queue[surplus].bytes
                surplus += 1
            }
            if surplus > 0 {
                state.queue.removeFirst(surplus)
                state.dropped += surplus
            }
            return state.queue.count == 1 || state.bytes >= limits.batchBytes || state.queue.count == limits.batchItems
        }
        if isWorthWaking { wakeup.signal() }
    }

    /// How many items wait.
    public var backlog: Int { state.withLock { $0.queue.count } }

    /// Lets ``run()`` deliver what waits, without waiting for company, and then return.
    public func close() {
        state.withLock { $0.isClosing = true }
        wakeup.signal()
    }

    /// Delivers items until ``close()`` was called and nothing waits any more, or until its task is cancelled.
    public func run() async {
        var failures = 0
        while !Task.isCancelled {
            let isClosing = state.withLock { $0.isClosing }
            if backlog == 0 {
                if isClosing { return }
                await wakeup.wait()
                continue
            }
            if !isClosing, failures == 0 { await gather() }
            if Task.isCancelled { return }
            reportDropped()
            let batch = takeBatch()
            switch await deliver(batch.map(\.item)) {
            case .delivered:
                failures = 0
            case .refused(let reason):
                failures = 0
                notice("\(batch.count) \(name) were refused by the API and are lost: \(reason)")
            case .postponed(let asked):
                putBack(batch)
                failures += 1
                let backoff = Jitter.clampedPoisson(
                    mean: failures >= 6 ? 60 : Double(1 << failures), factor: 0.3, random: .random(in: 0..<1))
                // Closing cuts the pause short once; after that the pauses pace the last attempts.
                await wakeup.wait(
                    atMost: asked ?? .seconds(backoff),
                    unless: { !isClosing && self.state.withLock { $0.isClosing } })
            }
        }
    }

    /// Waits for company until the interval is over or the batch is full.
    private func gather() async {
        let deadline = ContinuousClock.now + limits.interval
        while !Task.isCancelled {
            let isReady = state.withLock {
                $0.isClosing || $0.bytes >= limits.batchBytes || $0.queue.count >= limits.batchItems
            }
            let rest = deadline - ContinuousClock.now
            if isReady || rest <= .zero { return }
            await wakeup.wait(atMost: rest)
        }
    }

    private func takeBatch() -> [(item: Item, bytes: Int)] {
        state.withLock { state in
            var count = 0
            var bytes = 0
            for entry in state.queue.prefix(limits.batchItems) {
                if count > 0, bytes + entry.bytes > limits.batchBytes { break }
                count += 1
                bytes += entry.bytes
            }
            let batch = Array(state.queue.prefix(count))
            state.queue.removeFirst(count)
            state.bytes -= bytes
            return batch
        }
    }

    private func putBack(_ batch: [(item: Item, bytes: Int)]) {
        state.withLock { state in
            state.queue.insert(contentsOf: batch, at: 0)
            state.bytes += batch.reduce(0) { $0 + $1.bytes }
        }
    }

    private func reportDropped() {
        let dropped = state.withLock { state in
            defer { state.dropped = 0 }
            return state.dropped
        }
        if dropped > 0 {
            notice("\(dropped) \(name) were lost: the API took none for so long that no more fitted into memory")
        }
    }
}

/// What became of a batch that was handed out.
public enum BatchDelivery: Sendable {
    /// It arrived.
    case delivered
    /// It will never be taken; `reason` says why.
    case refused(reason: String)
    /// It was not taken this time; try again, after this long when the API said so.
    case postponed(after: Duration?)
}
