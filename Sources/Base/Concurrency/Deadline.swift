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
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask(operation: body)
        group.addTask {
            try await Task.sleep(for: deadline)
            throw DeadlineExceeded(what: what, deadline: deadline)
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() else { throw CancellationError() }
        return result
    }
}
