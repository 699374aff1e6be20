/// Something took too long.
package struct DeadlineExceeded: Error, CustomStringConvertible {
    let what: String
    let deadline: Duration

    package var description: String { "\(what) took longer than \(deadline)" }
}

/// Does something that ends when it is cancelled, for so long at most; then it throws ``DeadlineExceeded``.
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
