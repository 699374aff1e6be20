internal import PrefectREST

/// Decides which answers are worth another attempt, and how long to wait before it.
///
/// Mirrors the policy of Prefect's own client. It retries 408, 429, 502, 503 and the codes of
/// `PREFECT_CLIENT_RETRY_EXTRA_CODES`, up to `PREFECT_CLIENT_MAX_RETRIES` times. It waits for `Retry-After`, or for 2,
/// 4, 8, … seconds with jitter. An answer that carries `Prefect-Maintenance` does not count as an attempt.
public struct RetryPolicy: Sendable, Hashable {
    /// The number of retries after the first attempt.
    public var maxRetries: Int
    /// The fraction by which a delay may be lengthened or shortened; 0 switches jitter off.
    public var jitterFactor: Double
    /// Further status codes to retry.
    public var extraCodes: Set<Int>
    /// The longest delay that the policy computes; a server's `Retry-After` may be longer.
    public var maximumDelay: Duration
    /// The longest `Retry-After` that the client respects.
    public var maximumRetryAfter: Duration

    /// A policy; the defaults are those of Prefect.
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

    /// The effort that a caller requests.
    public enum Effort: Sendable, Hashable {
        /// One attempt: the caller retries by itself.
        case once
        /// As many attempts as the settings allow.
        case standard
        /// Attempts without limit, until an answer is no temporary failure. It is for reports that must reach the API.
        case persistent
    }

    /// The result of an attempt, as far as the policy uses it.
    package enum Outcome: Sendable, Hashable {
        /// An answer with this status.
        case status(Int, retryAfter: Duration?, isMaintenance: Bool)
        /// An answer that refused the CSRF token. `isFirst` is false if an earlier answer to the same request refused
        /// it too.
        case csrfTokenRefused(isFirst: Bool)
        /// No answer, for a reason that may be temporary.
        case noAnswer

        /// Whether the API stated when to retry.
        var asksForPause: Bool {
            if case .status(_, let retryAfter, _) = self { retryAfter != nil } else { false }
        }
    }

    /// The decision after an attempt.
    package enum Decision: Sendable, Hashable {
        /// Return the answer or the error to the caller.
        case stop
        /// Try again after this long.
        case retry(after: Duration, countsAsAttempt: Bool)
    }

    /// Decides what to do after an attempt. `attempt` counts from 1 and excludes attempts that did not count; `random`
    /// is drawn from 0..<1.
    package func decide(after outcome: Outcome, attempt: Int, effort: Effort, random: Double) -> Decision {
        let mayRetry = effort == .persistent || (effort == .standard && attempt <= maxRetries)
        switch outcome {
        case .csrfTokenRefused(isFirst: true):
            // The server has not applied anything yet: the token was out of date, and the client fetches another at
            // once.
            return .retry(after: .zero, countsAsAttempt: true)
        case .noAnswer, .csrfTokenRefused(isFirst: false):
            guard mayRetry else { return .stop }
            return .retry(
                after: retries.pause(retryAfter: nil, attempt: attempt, random: random), countsAsAttempt: true)
        case .status(let status, let retryAfter, let isMaintenance):
            guard isRetried(status, effort: effort) else { return .stop }
            if isMaintenance, effort != .once {
                let delay = retries.pause(retryAfter: retryAfter ?? .seconds(1), attempt: attempt, random: random)
                return .retry(after: delay, countsAsAttempt: false)
            }
            guard mayRetry else { return .stop }
            let delay = retries.pause(retryAfter: retryAfter, attempt: attempt, random: random)
            return .retry(after: delay, countsAsAttempt: true)
        }
    }

    /// Whether an answer with this status is a temporary failure.
    package func isRetried(_ status: Int, effort: Effort) -> Bool {
        if [408, 429, 502, 503].contains(status) || extraCodes.contains(status) { return true }
        // A report that must reach the API is repeated even while the server is broken, or while a key is replaced.
        return effort == .persistent && (status >= 500 || status == 401)
    }

    private var retries: Retries {
        Retries(
            limit: maxRetries, repeatsApplied: true, shortestPause: .seconds(2), longestPause: maximumDelay,
            jitterFactor: jitterFactor, longestRetryAfter: maximumRetryAfter)
    }
}

extension Duration {
    /// The duration in seconds.
    package var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
