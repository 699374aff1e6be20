internal import CoreMetrics
internal import Synchronization

/// The values of one metric with one set of labels.
protocol Series: AnyObject, Sendable {
    /// The lines of the series in the text format; `labels` is the text between the braces.
    func lines(name: String, labels: String) -> String
}

/// A number that only grows.
final class CounterSeries: Series, CounterHandler {
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) { value.wrappingAdd(amount, ordering: .relaxed) }

    func reset() { value.store(0, ordering: .relaxed) }

    func lines(name: String, labels: String) -> String {
        TextFormat.line(name, labels, "\(value.load(ordering: .relaxed))")
    }
}

/// A number that goes up and down; the last value counts.
final class GaugeSeries: Series, MeterHandler, RecorderHandler {
    private let value = Mutex(0.0)

    func set(_ new: Int64) { set(Double(new)) }

    func set(_ new: Double) { value.withLock { $0 = new } }

    func increment(by amount: Double) { value.withLock { $0 += amount } }

    func decrement(by amount: Double) { value.withLock { $0 -= amount } }

    func record(_ new: Int64) { set(Double(new)) }

    func record(_ new: Double) { set(new) }

    func lines(name: String, labels: String) -> String {
        TextFormat.line(name, labels, TextFormat.number(value.withLock { $0 }))
    }
}

/// The distribution of values over buckets; times are in seconds.
final class HistogramSeries: Series, TimerHandler, RecorderHandler {
    private struct State {
        /// The number of values in each bucket alone. The last bucket has no upper bound.
        var counts: [UInt64]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let state: Mutex<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        // One value that is not finite would make the sum useless permanently.
        guard value.isFinite else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
        }
    }

    func lines(name: String, labels: String) -> String {
        let state = state.withLock { $0 }
        let separator = labels.isEmpty ? "" : ","
        var total: UInt64 = 0
        var text = ""
        for (bound, count) in zip(bounds + [.infinity], state.counts) {
            total += count
            let bucket = "\(labels)\(separator)le=\"\(TextFormat.number(bound))\""
            text += TextFormat.line("\(name)_bucket", bucket, "\(total)")
        }
        return text + TextFormat.line("\(name)_sum", labels, TextFormat.number(state.sum))
            + TextFormat.line("\(name)_count", labels, "\(total)")
    }
}
