internal import Synchronization

/// Holds things back until it is opened, once and for all.
public final class Gate: Sendable {
    private enum State {
        case closed([@Sendable () -> Void])
        case open
    }

    private let state = Mutex(State.closed([]))

    /// A closed gate.
    public init() {}

    /// Lets everything through that waits, and all that comes later.
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

    /// Does something when the gate is open: now, or on the thread that opens it.
    public func whenOpen(_ action: @escaping @Sendable () -> Void) {
        let now = state.withLock { state -> Bool in
            guard case .closed(let waiting) = state else { return true }
            state = .closed(waiting + [action])
            return false
        }
        if now { action() }
    }

    /// Waits until the gate is open, or the task is cancelled.
    public func wait() async {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        whenOpen { continuation.finish() }
        for await _ in stream {}
    }
}
