/// Which answers are worth another attempt, and how long to wait before it.
///
/// Mirrors the policy of Prefect's own client: 408, 429, 502 and 503 and the codes of
/// `PREFECT_CLIENT_RETRY_EXTRA_CODES` are retried, `PREFECT_CLIENT_MAX_RETRIES` times, after `Retry-After` or 2, 4, 8, …
/// seconds with jitter; an answer that carries `Prefect-Maintenance` does not count as an attempt.
public struct RetryPolicy: Sendable, Hashable {
    /// How often a request is repeated after its first attempt.
    public var maxRetries: Int
    /// By how much a delay may be stretched or shrunk; 0 switches jitter off.
    public var jitterFactor: Double
    /// Further status codes to retry.
    public var extraCodes: Set<Int>
    /// The longest delay that is computed; a server's `Retry-After` may be longer.
    public var maximumDelay: Duration
    /// The longest `Retry-After` that is believed.
    public var maximumRetryAfter: Duration

    /// A policy.
    public init(
        maxRetries: Int = 5, jitterFactor: Double = 0.2, extraCodes: Set<Int> = [],
        maximumDelay: Duration = .seconds(60), maximumRetryAfter: Duration = .seconds(600)
    ) {
        self.maxRetries = maxRetries
        self.jitterFactor = jitterFactor
        self.extraCodes = extraCodes
        self.maximumDelay = maximumDelay
        self.maximumRetryAfter = maximumRetryAfter
    }

    /// How hard a caller wants to try.
    public enum Effort: Sendable, Hashable {
        /// One attempt: the caller has a loop of its own.
        case once
        /// As often as the settings say.
        case standard
        /// Until there is an answer that is no passing trouble, however long that takes; for what must be said.
        case persistent
    }

    /// What came of an attempt, as far as the policy is concerned.
    public enum Outcome: Sendable, Hashable {
        /// An answer with this status.
        case status(Int, retryAfter: Duration?, isMaintenance: Bool)
        /// An answer that refused the CSRF token; `isFirst` unless an earlier answer to the same request has done so.
        case csrfTokenRefused(isFirst: Bool)
        /// No answer, for a reason that may pass.
        case noAnswer

        /// Whether the API said when it wants to be asked again.
        var asksForPause: Bool {
            if case .status(_, let retryAfter, _) = self { retryAfter != nil } else { false }
        }
    }

    /// What to do after an attempt.
    public enum Decision: Sendable, Hashable {
        /// Hand the answer or the error to the caller.
        case stop
        /// Try again after this long.
        case retry(after: Duration, countsAsAttempt: Bool)
    }

    /// Decides after an attempt. `attempt` counts from 1 and leaves out attempts that did not count; `random` is drawn
    /// from 0..<1.
    public func decide(after outcome: Outcome, attempt: Int, effort: Effort, random: Double) -> Decision {
        let mayRetry = effort == .persistent || (effort == .standard && attempt <= maxRetries)
        switch outcome {
        case .csrfTokenRefused(isFirst: true):
            // Nothing was attempted yet: the token was out of date, and the next one is fetched at once.
            return .retry(after: .zero, countsAsAttempt: true)
        case .noAnswer, .csrfTokenRefused(isFirst: false):
            return mayRetry ? .retry(after: backoff(attempt, random: random), countsAsAttempt: true) : .stop
        case .status(let status, let retryAfter, let isMaintenance):
            guard isRetried(status, effort: effort) else { return .stop }
            if isMaintenance, effort != .once {
                return .retry(
                    after: stretched(retryAfter ?? .seconds(1), random: random), countsAsAttempt: false)
            }
            guard mayRetry else { return .stop }
            let delay = retryAfter.map { stretched($0, random: random) } ?? backoff(attempt, random: random)
            return .retry(after: delay, countsAsAttempt: true)
        }
    }

    /// Whether an answer with this status is passing trouble.
    public func isRetried(_ status: Int, effort: Effort) -> Bool {
        if [408, 429, 502, 503].contains(status) || extraCodes.contains(status) { return true }
        // What must be said is said again also to a server that is broken for a while, or while a key is exchanged.
        return effort == .persistent && (status >= 500 || status == 401)
    }

    private func backoff(_ attempt: Int, random: Double) -> Duration {
        let ceiling = maximumDelay.inSeconds
        let seconds = attempt >= 10 ? ceiling : min(Double(1 << attempt), ceiling)
        return .seconds(Jitter.clampedPoisson(mean: seconds, factor: jitterFactor, random: random))
    }

    private func stretched(_ retryAfter: Duration, random: Double) -> Duration {
        let seconds = min(retryAfter, maximumRetryAfter).inSeconds
        return .seconds(Jitter.boundedPoisson(from: seconds, to: seconds * (1 + jitterFactor), random: random))
    }
}

extension Duration {
    /// The duration in seconds.
    public var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
