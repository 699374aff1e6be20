internal import Synchronization

/// Lets one task wait for a signal from another, or for a time to pass.
///
/// A signal without a waiting task is kept for the next wait, so that none is lost. Several kept signals count as one.
package final class AsyncSignal: Sendable {
    private struct State {
        var isSignalled = false
        var nextID = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    /// Creates a wakeup without a signal.
    package init() {}

    /// Ends the current waits, or the next one.
    package func signal() {
        let waiters = state.withLock { state in
            defer { state.waiters = [:] }
            if state.waiters.isEmpty { state.isSignalled = true }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume() }
    }

    /// Waits for a signal, or until the task is cancelled.
    package func wait() async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isSignalled {
                        state.isSignalled = false
                        return true
                    }
                    if Task.isCancelled { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
        }
    }

    /// Waits for a signal, until a time has passed, or until the task is cancelled. With `isMeant`, the wait ends when
    /// `isMeant` returns `true`; it is called first, and after each signal.
    package func wait(atMost duration: Duration, unless isMeant: (@Sendable () -> Bool)? = nil) async {
        let deadline = ContinuousClock.now + duration
        await raceOf(
            { try? await Task.sleep(until: deadline, clock: .continuous) },
            {
                repeat {
                    if isMeant?() == true { return }
                    await self.wait()
                } while !Task.isCancelled && isMeant?() == false
            })
    }
}
