/// Performs an operation in a task of its own, waits for it, and returns its result or throws its error. Cancelling the
/// caller cancels the operation.
///
/// A task keeps the memory of its deepest call until it ends. So a task that waits for long makes its deep calls in
/// this way. The operation is no `async let`, which would use the caller's memory.
package func inChildTask<Success: Sendable>(
    _ operation: @escaping @Sendable () async throws -> Success
) async throws -> Success {
    let task = Task { try await operation() }
    return try await withTaskCancellationHandler {
        try await task.value
    } onCancel: {
        task.cancel()
    }
}
