internal import Synchronization

/// A value that may be replaced while others use it, such as settings that an operator has reloaded. Tasks can wait for
/// a value.
package final class ObservedValue<Value: Sendable>: Sendable {
    private struct Waiter {
        let isMet: @Sendable (Value) -> Bool
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var value: Value
        var lastNumber = 0
        var waiters: [Int: Waiter] = [:]
    }

    private let state: Mutex<State>

    /// Creates an instance with its first value.
    package init(_ value: Value) { state = Mutex(State(value: value)) }

    /// The current value.
    package var value: Value { state.withLock { $0.value } }

    /// Changes the value for all later readers. Returns the result of the change.
    @discardableResult
    package func update<Result: Sendable>(_ change: (inout Value) -> Result) -> Result {
        let (result, met) = state.withLock { state in
            let result = change(&state.value)
            let met = state.waiters.filter { $0.value.isMet(state.value) }
            for number in met.keys { state.waiters[number] = nil }
            // A key path of a generic type would be looked up at run time, each time.
            return (result, Array(met.values))
        }
        for waiter in met { waiter.continuation.resume() }
        return result
    }

    /// Waits until the value meets a condition, or until the task is cancelled.
    package func wait(until isMet: @escaping @Sendable (Value) -> Bool) async {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if isMet(state.value) || Task.isCancelled { return true }
                    state.waiters[number] = Waiter(isMet: isMet, continuation: continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.continuation.resume()
        }
    }

    /// Waits until the value meets a condition, until a deadline, or until the task is cancelled.
    package func wait(
        by deadline: ContinuousClock.Instant, until isMet: @escaping @Sendable (Value) -> Bool
    ) async {
        if isMet(value) { return }
        await raceOf(
            { try? await Task.sleep(until: deadline, clock: .continuous) }, { await self.wait(until: isMet) })
    }
}
