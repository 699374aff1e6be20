internal import CoreMetrics
internal import Synchronization

/// The values of one metric with one set of labels.
protocol Series: AnyObject, Sendable {
    /// The present value.
    var current: MetricValues.Value { get }
}

/// A number that only grows.
final class CounterSeries: Series, CounterHandler {
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) { value.wrappingAdd(amount, ordering: .relaxed) }

    func reset() { value.store(0, ordering: .relaxed) }

    var current: MetricValues.Value { .count(value.load(ordering: .relaxed)) }
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

    var current: MetricValues.Value { .number(value.withLock { $0 }) }
}

/// The distribution of values over buckets; times are in seconds.
final class HistogramSeries: Series, TimerHandler, RecorderHandler {
    private let state: Mutex<MetricValues.Distribution>

    init(bounds: [Double]) {
        state = Mutex(.init(bounds: bounds, counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        // One value that is not finite would make the sum useless permanently.
        guard value.isFinite else { return }
        state.withLock { state in
            state.counts[state.bounds.firstIndex { value <= $0 } ?? state.bounds.count] += 1
            state.sum += value
        }
    }

    var current: MetricValues.Value { .distribution(state.withLock { $0 }) }
}
