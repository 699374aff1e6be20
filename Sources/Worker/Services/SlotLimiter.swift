internal import Concurrency
internal import PrefectAPI
internal import Synchronization

/// The slots of a limit, either of a pool or of the daemon. A run holds a slot from the poll that returned it until all
/// work on the run is complete. The slots of a pool are within those of the daemon: a run that holds one of the pool's
/// also holds one of the daemon's.
public final class SlotLimiter: Sendable {
    private struct State {
        var limit: Int?
        var used = 0
        /// The parts of this limiter, which wait for its slots.
        var parts: [AsyncSignal] = []
    }

    /// The number of slots; `nil` means any number.
    public var limit: Int? { state.withLock { $0.limit } }
    /// The limiter that contains this one.
    public let whole: SlotLimiter?
    private let state: Mutex<State>
    private let freed = AsyncSignal()

    /// A limiter with free slots only. With `whole`, they are within a limit that several limiters share.
    public init(limit: Int?, within whole: SlotLimiter? = nil) {
        state = Mutex(State(limit: limit))
        self.whole = whole
        whole?.state.withLock { $0.parts.append(freed) }
    }

    /// Changes the number of slots; taken slots stay taken.
    public func setLimit(_ limit: Int?) {
        let parts = state.withLock { state in
            state.limit = limit
            return state.parts
        }
        for waiter in [freed] + parts { waiter.signal() }
    }

    /// The number of taken slots.
    public var used: Int { state.withLock { $0.used } }

    /// The number of free slots; `nil` means any number.
    public var free: Int? { [limit.map { max(0, $0 - used) }, whole?.free].compactMap { $0 }.min() }

    /// Takes a slot; `nil` when none is free.
    public func take() -> Slot? { count() ? Slot(limiter: self) : nil }

    /// Takes a slot for a run that is already in progress, even when the limit is reached.
    func takeBeyondLimit() -> Slot {
        _ = count(beyondLimit: true)
        return Slot(limiter: self)
    }

    private func count(beyondLimit: Bool = false) -> Bool {
        let isTaken = state.withLock { state in
            if !beyondLimit, let limit = state.limit, state.used >= limit { return false }
            state.used += 1
            return true
        }
        guard isTaken else { return false }
        if let whole, !whole.count(beyondLimit: beyondLimit) {
            state.withLock { $0.used -= 1 }
            return false
        }
        return true
    }

    /// Waits until a slot may be free, or until the task is cancelled.
    public func waitForFreeSlot() async {
        while !Task.isCancelled, let free, free == 0 { await freed.wait() }
    }

    fileprivate func giveBack() {
        whole?.giveBack()
        let parts = state.withLock { state in
            state.used -= 1
            return state.parts
        }
        for waiter in [freed] + parts { waiter.signal() }
    }
}

/// A taken slot. It is released once, at the latest when no reference to it exists any more.
public final class Slot: Sendable {
    private let limiter: SlotLimiter
    private let isHeld = Mutex(true)

    fileprivate init(limiter: SlotLimiter) { self.limiter = limiter }

    deinit { release() }

    /// Releases the slot; later calls have no effect.
    public func release() {
        let wasHeld = isHeld.withLock { isHeld in
            defer { isHeld = false }
            return isHeld
        }
        if wasHeld { limiter.giveBack() }
    }
}
