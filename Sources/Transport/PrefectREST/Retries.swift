internal import PrefectConcurrency

/// Decides which failures are worth another attempt, how often, and how long to wait before it. A value without a clock
/// and without chance.
///
/// Pauses double from `shortestPause` to `longestPause`, with jitter. A `Retry-After` of the service replaces them.
package struct Retries: Sendable, Hashable {
    /// The number of attempts after the first; nil for no limit.
    package var limit: Int?
    /// Whether a request that the service may have applied is repeated. A request without effect, or with an idempotency
    /// key, can be repeated safely.
    package var repeatsApplied: Bool
    /// The mean pause after the first failure.
    package var shortestPause: Duration
    /// The longest mean pause.
    package var longestPause: Duration
    /// The fraction by which a pause may be lengthened or shortened; 0 switches jitter off.
    package var jitterFactor: Double
    /// The longest `Retry-After` that is respected.
    package var longestRetryAfter: Duration

    /// Creates a policy.
    package init(
        limit: Int?, repeatsApplied: Bool = false, shortestPause: Duration = .seconds(1),
        longestPause: Duration = .seconds(60), jitterFactor: Double = 0.2, longestRetryAfter: Duration = .seconds(600)
    ) {
        self.limit = limit
        self.repeatsApplied = repeatsApplied
        self.shortestPause = shortestPause
        self.longestPause = longestPause
        self.jitterFactor = jitterFactor
        self.longestRetryAfter = longestRetryAfter
    }

    /// One attempt: the caller repeats the request by itself.
    package static let none = Retries(limit: 0)

    /// The pause before the next attempt; nil when there should be none.
    ///
    /// - Parameters:
    ///   - failure: The failure of the attempt.
    ///   - attempt: The number of attempts so far, from 1.
    ///   - random: A number drawn from 0..<1.
    package func pause(after failure: RequestFailure, attempt: Int, random: Double) -> Duration? {
        guard failure.isTransient, repeatsApplied || !failure.mayHaveBeenApplied, attempt <= limit ?? .max else {
            return nil
        }
        return pause(retryAfter: failure.retryAfter, attempt: attempt, random: random)
    }

    /// The pause before the attempt that follows `attempt` others. With `retryAfter`, it is never shorter than that.
    package func pause(retryAfter: Duration?, attempt: Int, random: Double) -> Duration {
        if let retryAfter {
            let seconds = min(retryAfter, longestRetryAfter) / .seconds(1)
            return .seconds(Jitter.boundedPoisson(from: seconds, to: seconds * (1 + jitterFactor), random: random))
        }
        let mean = Backoff(from: shortestPause, to: longestPause).pause(afterFailures: attempt)
        return .seconds(Jitter.clampedPoisson(mean: mean / .seconds(1), factor: jitterFactor, random: random))
    }
}
