/// Counts the requests that an operator sends as signals. This type reads no clock; callers pass the time.
///
/// A supervisor may signal the worker and its process group at the same time. So signals within a second are one
/// request.
package struct OperatorRequests: Sendable, Hashable {
    /// How long after a request another signal is part of it.
    package static let window: Duration = .seconds(1)

    private var last: ContinuousClock.Instant?

    /// Starts with no request.
    package init() {}

    /// Whether a signal at this moment is a request of its own.
    package mutating func counts(at now: ContinuousClock.Instant) -> Bool {
        if let last, now - last < Self.window { return false }
        last = now
        return true
    }
}
