/// Counts what an operator asks for with signals. A value without a clock: it is given the time.
///
/// A supervisor may signal the worker and its process group at the same time. So signals within a second are one request.
public struct OperatorRequests: Sendable, Hashable {
    /// How long after a request another signal is a part of it.
    public static let window: Duration = .seconds(1)

    private var last: ContinuousClock.Instant?

    /// Counts from nothing.
    public init() {}

    /// Whether a signal that comes at a moment is a request of its own.
    public mutating func counts(at now: ContinuousClock.Instant) -> Bool {
        if let last, now - last < Self.window { return false }
        last = now
        return true
    }
}
