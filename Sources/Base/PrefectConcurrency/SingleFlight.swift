internal import Synchronization

/// Lets callers that want the same thing at the same time share one attempt to get it.
///
/// The first caller makes the attempt within its own task; the others wait for its result. When the first is cancelled
/// or fails, each of the others makes its own attempt in turn.
package final class SingleFlight<Value: Sendable>: Sendable {
    private struct State {
        var isRunning = false
        var nextID = 0
        var waiters: [Int: CheckedContinuation<Value?, Never>] = [:]
    }

    private let state = Mutex(State())

    /// Creates an instance without an attempt under way.
    package init() {}

    /// Runs `attempt`, or waits for the one that is under way.
    package func run(_ attempt: () async throws -> Value) async throws -> Value {
        while true {
            let isFirst = state.withLock { state in
                if state.isRunning { return false }
                state.isRunning = true
                return true
            }
            if isFirst {
                do {
                    let value = try await attempt()
                    finish(with: value)
                    return value
                } catch {
                    finish(with: nil)
                    throw error
                }
            }
            if let value = await join() { return value }
            try Task.checkCancellation()
        }
    }

    /// Runs `attempt`, or waits for one that begins after this call. So the value is not older than the call.
    package func runAnew(_ attempt: () async throws -> Value) async throws -> Value {
        if state.withLock({ $0.isRunning }) { _ = await join() }
        // An attempt that is under way now began after the one above had ended.
        return try await run(attempt)
    }

    private func finish(with value: Value?) {
        let waiters = state.withLock { state in
            state.isRunning = false
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume(returning: value) }
    }

    /// The result of the attempt under way; `nil` when it failed, when it has already ended, or on cancellation.
    private func join() async -> Value? {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if !state.isRunning || Task.isCancelled { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume(returning: nil) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: nil)
        }
    }
}

/// A ``SingleFlight`` for each key that callers want at the moment.
package final class KeyedSingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let flights = Mutex<[Key: (flight: SingleFlight<Value>, callers: Int)]>([:])

    /// Creates an instance without an attempt under way.
    package init() {}

    /// Runs `attempt` for a key, or waits for the key's attempt that is under way.
    package func run(_ key: Key, _ attempt: () async throws -> Value) async throws -> Value {
        let flight = flights.withLock { flights in
            var entry = flights[key] ?? (SingleFlight(), 0)
            entry.callers += 1
            flights[key] = entry
            return entry.flight
        }
        defer {
            flights.withLock { flights in
                guard var entry = flights[key] else { return }
                entry.callers -= 1
                flights[key] = entry.callers == 0 ? nil : entry
            }
        }
        return try await flight.run(attempt)
    }
}
