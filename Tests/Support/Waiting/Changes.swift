internal import Synchronization

/// Notifies waiting tasks that a state has changed, so that they check it again.
final class Changes: Sendable {
    private struct State {
        var serial = 0
        var observers: [Int: AsyncStream<Void>.Continuation] = [:]
    }

    private let state = Mutex(State())

    /// Wakes all waiting tasks.
    func notify() {
        let observers = state.withLock { $0.observers.values }
        for observer in observers { observer.yield() }
    }

    /// Calls `find` until it returns a value: now, after every change, and once more at the end.
    ///
    /// - Parameters:
    ///   - timeout: How long to wait. From ten seconds on, the wait is three times as long.
    ///   - find: Returns the value, or `nil` to wait longer.
    /// - Returns: The value; `nil` after the timeout.
    func wait<Found>(
        timeout: Duration, isolation: isolated (any Actor)? = #isolation, _ find: () async throws -> Found?
    ) async throws -> Found? {
        let (changes, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.serial += 1
            state.observers[state.serial] = continuation
            return state.serial
        }
        defer { state.withLock { $0.observers[number] = nil } }
        let alarm = Alarm(after: timeout.patient) { continuation.finish() }
        defer { alarm.cancel() }
        if let found = try await find() { return found }
        for await _ in changes {
            if let found = try await find() { return found }
        }
        try Task.checkCancellation()
        return try await find()
    }
}
