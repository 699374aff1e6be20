/// The number of runs that a poll requests, which is also the maximum that the worker takes from its answer. This type
/// does no I/O; callers report the outcome of each poll.
struct PollSize: Sendable, Hashable {
    /// The maximum number of runs that the API returns when the request names no number.
    static let serverLimit = 200

    /// The upper limit of a request. It shrinks for a server that cannot answer for many runs at a time.
    private(set) var cap = serverLimit
    private var hasReportedExcess = false

    /// The number for the next poll. The API may return runs first that the worker is still claiming, and these must
    /// not hide the others. So the number includes them.
    func wanted(free: Int?, unclaimed: Int) -> Int {
        free.map { min($0 + unclaimed, cap) } ?? cap
    }

    /// Reduces the number after the answer to a poll for `wanted` runs was too large to read. Returns the number to
    /// request from now on, or `nil` when `wanted` was already one.
    mutating func shrink(from wanted: Int) -> Int? {
        guard wanted > 1 else { return nil }
        cap = max(1, wanted / 4)
        return cap
    }

    /// Raises the limit after the answer was full and the worker took runs from it.
    mutating func grow() { cap = min(cap * 2, Self.serverLimit) }

    /// Whether this answer is the first one with more runs than requested.
    mutating func isFirstExcess(of count: Int, over wanted: Int) -> Bool {
        guard count > wanted, !hasReportedExcess else { return false }
        hasReportedExcess = true
        return true
    }
}
