internal import PrefectConcurrency
internal import Synchronization
internal import Tracing

/// A span that has ended.
struct EndedSpan: Sendable {
    var identity: SpanIdentity
    var parent: String?
    var name: String
    var kind: SpanKind
    /// Nanoseconds since 1970, like ``end``.
    var start: UInt64
    var end: UInt64
    var attributes: SpanAttributes
    var events: [SpanEvent]
    var links: [SpanLink]
    var status: SpanStatus?
}

/// The spans that wait until they are sent. Its memory is limited: the newest spans are dropped while it is full.
package final class SpanQueue: Sendable {
    private let capacity: Int
    private let batch: Int
    private let state = Mutex((spans: [EndedSpan](), dropped: 0))
    private let filled = AsyncSignal()

    /// A queue that reports when the spans of a whole request wait.
    ///
    /// - Parameters:
    ///   - capacity: The greatest number of spans.
    ///   - batch: The number of spans in a request.
    package init(capacity: Int, batch: Int) {
        self.capacity = capacity
        self.batch = batch
    }

    func add(_ span: EndedSpan) {
        let isFilled = state.withLock { state in
            guard state.spans.count < capacity else {
                state.dropped += 1
                return false
            }
            state.spans.append(span)
            return state.spans.count == batch
        }
        if isFilled { filled.signal() }
    }

    /// Takes the spans of the next request, the oldest first. They are no longer in the queue.
    func take() -> [EndedSpan] {
        state.withLock { state in
            let taken = Array(state.spans.prefix(batch))
            state.spans.removeFirst(taken.count)
            return taken
        }
    }

    /// The number of spans that were dropped since the last call.
    func takeDropped() -> Int {
        state.withLock { state in
            defer { state.dropped = 0 }
            return state.dropped
        }
    }

    /// Waits until the spans of a whole request wait, and at most for `limit`.
    func waitUntilFilled(atMost limit: Duration) async { await filled.wait(atMost: limit) }
}
