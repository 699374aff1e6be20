internal import Synchronization

/// Why a backend's infrastructure cannot be used at the moment: noted by whoever finds out, told to the worker's operator when
/// it begins and when it is over, and waited for by whoever needs the infrastructure.
package final class InfrastructureTrouble: Sendable {
    private struct State {
        var reason: String?
        var lastNumber = 0
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let end: String
    private let notice: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// No trouble.
    /// - Parameters:
    ///   - end: What the operator is told when trouble is over.
    ///   - notice: Tells the operator.
    package init(end: String, notice: @escaping @Sendable (String) -> Void) {
        self.end = end
        self.notice = notice
    }

    /// The reason, in one line; `nil` when there is no trouble.
    package var reason: String? { state.withLock { $0.reason } }

    /// Notes how it stands now; `nil` is no trouble. Another reason for the same trouble is no news.
    package func note(_ reason: String?) {
        let (was, waiting) = state.withLock { state in
            defer {
                state.reason = reason
                if reason == nil { state.waiting.removeAll() }
            }
            return (state.reason, reason == nil ? Array(state.waiting.values) : [])
        }
        for continuation in waiting { continuation.resume() }
        if let reason, was == nil {
            notice("\(reason). Runs that come are not taken until it does, those that run are watched again then")
        }
        if reason == nil, was != nil { notice(end) }
    }

    /// Waits until there is none, or for the task's cancellation.
    package func waitUntilOver() async {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.reason == nil || Task.isCancelled { return true }
                    state.waiting[number] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: number) }?.resume()
        }
    }
}
