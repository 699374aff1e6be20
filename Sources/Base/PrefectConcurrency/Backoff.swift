/// The pauses between attempts that fail: each is twice as long as the one before, up to a limit. A value without a clock
/// and without chance, which callers add.
package struct Backoff: Sendable, Hashable {
    /// The pause after the first failure.
    package let shortest: Duration
    /// The longest pause.
    package let longest: Duration

    /// Creates pauses between two limits.
    package init(from shortest: Duration, to longest: Duration) {
        self.shortest = shortest
        self.longest = longest
    }

    /// The pause after so many failures in a row; zero after none.
    package func pause(afterFailures failures: Int) -> Duration {
        guard failures > 0 else { return .zero }
        // 2^32 times a pause is longer than any limit, and within a duration's range for pauses of years.
        return min(shortest * (1 << min(failures - 1, 32)), longest)
    }
}
