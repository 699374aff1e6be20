internal import Synchronization

/// Blocks actions and tasks until it is opened. It never closes again.
public final class Gate: Sendable {
    private enum State {
        case closed([@Sendable () -> Void])
        case open
    }

    private let state = Mutex(State.closed([]))

    /// A closed gate.
    public init() {}

    /// Releases all waiting actions and tasks, and lets later ones pass.
    public func open() {
        let waiting = state.withLock { state -> [@Sendable () -> Void] in
            guard case .closed(let waiting) = state else { return [] }
            state = .open
            return waiting
        }
        for action in waiting { action() }
    }

    /// Whether it was opened.
    public var isOpen: Bool {
        state.withLock { if case .open = $0 { true } else { false } }
    }

    /// Runs an action when the gate is open: now, or on the thread that opens it.
    public func whenOpen(_ action: @escaping @Sendable () -> Void) {
        let now = state.withLock { state -> Bool in
            guard case .closed(let waiting) = state else { return true }
            state = .closed(waiting + [action])
            return false
        }
        if now { action() }
    }

    /// Waits until the gate is open or the task is cancelled.
    public func wait() async {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        whenOpen { continuation.finish() }
        for await _ in stream {}
    }
}
