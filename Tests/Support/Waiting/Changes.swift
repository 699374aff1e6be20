internal import Synchronization

/// Tells those who wait for something that things have changed and are worth another look.
final class Changes: Sendable {
    private struct State {
        var serial = 0
        var observers: [Int: AsyncStream<Void>.Continuation] = [:]
    }

    private let state = Mutex(State())

    /// Wakes everybody who waits.
    func notify() {
        let observers = state.withLock { $0.observers.values }
        for observer in observers { observer.yield() }
    }

    /// Looks until there is something to find: now, after every change, and once more at the end.
    ///
    /// - Parameters:
    ///   - timeout: How long to look, or three times as long from ten seconds on.
    ///   - find: What to look for.
    /// - Returns: What was found; `nil` when the time was over.
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
