/// Waits for the first of several operations to end, then cancels the others and waits for them. Returns the result of
/// the first to end.
///
/// Each operation must end when its task is cancelled.
@discardableResult
package func raceOf<Success: Sendable>(
    _ first: @escaping @Sendable () async -> Success, _ others: (@Sendable () async -> Success)...
) async -> Success {
    let operations = ([first] + others).map { operation in { @Sendable () async -> Success? in await operation() } }
    // The first operation has a result, so the race has one.
    guard let result = await firstResult(among: operations) else { return await first() }
    return result
}

/// Waits for the first of several operations to end, then cancels the others and waits for them. Returns the result of
/// the first to end, or throws its error.
///
/// Each operation must end when its task is cancelled.
@discardableResult
package func raceOf<Success: Sendable>(
    _ first: @escaping @Sendable () async throws -> Success, _ others: (@Sendable () async throws -> Success)...
) async throws -> Success {
    let operations = ([first] + others).map { operation in
        { @Sendable () async -> Result<Success, any Error>? in await outcome(of: operation) }
    }
    guard let result = await firstResult(among: operations) else { return try await first() }
    return try result.get()
}

/// Waits for the first of several operations that has a result, then cancels the others and waits for them. Returns
/// `nil` when all operations end without a result.
///
/// Each operation must end when its task is cancelled.
package func firstResult<Success: Sendable>(
    of operations: (@Sendable () async -> Success?)...
) async -> Success? {
    await firstResult(among: operations)
}

/// Waits for the first of several operations that has a result or throws, then cancels the others and waits for them.
/// Returns `nil` when all operations end without a result.
///
/// Each operation must end when its task is cancelled.
package func firstResult<Success: Sendable>(
    of operations: (@Sendable () async throws -> Success?)...
) async throws -> Success? {
    let outcomes = operations.map { operation in
        { @Sendable () async -> Result<Success, any Error>? in
            switch await outcome(of: operation) {
            case .success(let result): result.map { .success($0) }
            case .failure(let error): .failure(error)
            }
        }
    }
    return try await firstResult(among: outcomes)?.get()
}

private func firstResult<Success: Sendable>(
    among operations: [@Sendable () async -> Success?]
) async -> Success? {
    await withTaskGroup(of: Success?.self) { group in
        for operation in operations { group.addTask(operation: operation) }
        defer { group.cancelAll() }
        for await result in group { if let result { return result } }
        return nil
    }
}

// Typed throws would need only one form of each function above, but generic ones crash in Swift 6.
private func outcome<Success>(of operation: () async throws -> Success) async -> Result<Success, any Error> {
    do { return .success(try await operation()) } catch { return .failure(error) }
}
