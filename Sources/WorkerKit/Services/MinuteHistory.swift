internal import PrefectClient
internal import PrefectJSON

/// Durations of the last hour, summarised for each minute. A minute keeps at most ``sampleLimit`` of its durations, so
/// the memory has a limit however many are recorded.
struct MinuteHistory: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// The number of minutes, including the current one.
    static let length = 60
    /// The number of durations of a minute whose median is exact. The median of more is that of a random sample.
    static let sampleLimit = 48

    private struct Minute {
        let number: Int
        var count = 0
        var longest = 0.0
        var sample: [Double] = []

        mutating func record(_ seconds: Double) {
            count += 1
            longest = max(longest, seconds)
            if sample.count < MinuteHistory.sampleLimit {
                sample.append(seconds)
            } else {
                let place = Int.random(in: 0..<count)
                if place < sample.count { sample[place] = seconds }
            }
        }
    }

    private let start: Instant
    /// The minutes with durations, oldest first.
    private var minutes: [Minute] = []

    /// An empty history; `start` precedes all durations.
    init(since start: Instant = .now) { self.start = start }

    private func number(of instant: Instant) -> Int { max(0, Int((instant - start).components.seconds / 60)) }

    /// Records a duration.
    mutating func record(_ duration: Duration, at now: Instant = .now) {
        let current = number(of: now)
        minutes.removeAll { $0.number <= current - Self.length }
        if minutes.last.map({ $0.number < current }) ?? true { minutes.append(Minute(number: current)) }
        minutes[minutes.count - 1].record(duration.inSeconds)
    }

    /// The minutes with durations, oldest first: `minutes_ago`, `count`, and the seconds of `median` and `max`.
    func json(at now: Instant = .now) -> JSONValue {
        let current = number(of: now)
        return .array(
            minutes.filter { $0.number > current - Self.length }.map { minute in
                [
                    "minutes_ago": .int(max(0, current - minute.number)), "count": .int(minute.count),
                    "median": .milliseconds(minute.sample.sorted()[minute.sample.count / 2]),
                    "max": .milliseconds(minute.longest),
                ]
            })
    }
}

extension JSONValue {
    /// Seconds, rounded to milliseconds.
    fileprivate static func milliseconds(_ seconds: Double) -> JSONValue { .double((seconds * 1000).rounded() / 1000) }
}
