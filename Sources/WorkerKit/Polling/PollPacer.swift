internal import PrefectClient
internal import PrefectConcurrency

/// Decides after each poll when the next one is due. This type reads no clock; callers report the outcome of each poll.
struct PollPacer: Sendable, Hashable {
    /// The ordinary time between polls.
    var interval: Duration
    /// The longest mean time between polls while the API does not answer, unless the API requests a longer one.
    static let maximumBackoff: Duration = .seconds(60)
    /// The shortest time between polls while more runs are waiting than the worker took.
    static let minimumPause: Duration = .milliseconds(500)

    private(set) var failures = 0

    init(interval: Duration) { self.interval = interval }

    /// The outcome of a poll.
    enum Outcome: Sendable, Hashable {
        /// The API answered. `mayHaveMore` states that more runs may be due than the poll requested.
        case answered(mayHaveMore: Bool)
        /// The API did not answer, or answered with an error. `retryAfter` is the pause that it requested.
        case failed(retryAfter: Duration?)
    }

    /// The pause before the next poll. `random` is drawn from 0..<1.
    mutating func pause(after outcome: Outcome, random: Double) -> Duration {
        switch outcome {
        case .answered(let mayHaveMore):
            failures = 0
            // The average is slightly longer than the interval, so that no worker polls more often than configured.
            let pause = interval * (0.9 + 0.3 * random)
            return mayHaveMore ? min(pause, Self.minimumPause) : pause
        case .failed(let retryAfter):
            failures += 1
            // The first attempt after an outage follows soon, even when the ordinary interval is long.
            let mean = Backoff(from: interval, to: Self.maximumBackoff).pause(afterFailures: failures)
            let pause = Jitter.clampedPoisson(mean: mean.inSeconds, factor: 0.3, random: random)
            return max(retryAfter ?? .zero, .seconds(pause))
        }
    }
}
