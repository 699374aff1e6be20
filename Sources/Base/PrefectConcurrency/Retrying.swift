/// Performs an operation until it succeeds, and returns its result.
///
/// - Parameter pause: The time until the next attempt, from the last error and the number of attempts so far. It throws
///   the error of the whole operation when no attempt is to follow. Errors of any other type than its own end the
///   operation.
@discardableResult
package func retrying<Result, Failure: Error>(
    isolation: isolated (any Actor)? = #isolation,
    _ operation: () async throws -> Result,
    pause: (Failure, Int) async throws -> Duration
) async throws -> Result {
    var attempts = 0
    while true {
        do {
            return try await operation()
        } catch let error as Failure {
            attempts += 1
            try await Task.sleep(for: pause(error, attempts))
        }
    }
}
