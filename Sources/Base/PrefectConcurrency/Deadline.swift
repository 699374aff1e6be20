/// The error of an operation that took longer than its deadline.
package struct DeadlineExceeded: Error, CustomStringConvertible {
    let what: String
    let deadline: Duration

    package var description: String { "\(what) took longer than \(deadline)" }
}

/// Runs an operation that ends when it is cancelled, for at most `deadline`; then throws ``DeadlineExceeded``.
package func withDeadline<Result: Sendable>(
    _ deadline: Duration, for what: String, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await raceOf(
        body,
        {
            try await Task.sleep(for: deadline)
            throw DeadlineExceeded(what: what, deadline: deadline)
        })
}
