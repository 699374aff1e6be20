internal import PrefectAPI
internal import Synchronization

/// The slots of a limit, a pool's or the daemon's: a run holds one from the poll that brought it until everything about
/// it is done. A pool's are within the daemon's: whoever takes one of them takes one of the daemon's too.
public final class SlotLimiter: Sendable {
    private struct State {
        var limit: Int?
        var used = 0
        /// Who waits for slots of the parts of this limiter.
        var parts: [Wakeup] = []
    }

    /// How many slots there are; `nil` means any number.
    public var limit: Int? { state.withLock { $0.limit } }
    /// The limiter that this one is a part of.
    public let whole: SlotLimiter?
    private let state: Mutex<State>
    private let freed = Wakeup()

    /// A limiter whose slots are all free, within those of `whole`, if there is a limit for several together.
    public init(limit: Int?, within whole: SlotLimiter? = nil) {
        state = Mutex(State(limit: limit))
        self.whole = whole
        whole?.state.withLock { $0.parts.append(freed) }
    }

    /// Changes how many slots there are; those that are taken stay taken.
    public func setLimit(_ limit: Int?) {
        let parts = state.withLock { state in
            state.limit = limit
            return state.parts
        }
        for waiter in [freed] + parts { waiter.signal() }
    }

    /// How many slots are taken.
    public var used: Int { state.withLock { $0.used } }

    /// How many slots are free; `nil` means any number.
    public var free: Int? { [limit.map { max(0, $0 - used) }, whole?.free].compactMap { $0 }.min() }

    /// Takes a slot; `nil` when none is free.
    public func take() -> Slot? { count() ? Slot(limiter: self) : nil }

    /// Takes a slot for a run that goes on already, be the limit reached or not.
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

    /// Waits until a slot may be free, or for the task's cancellation.
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

/// A slot that is taken; given back once, at the latest when nobody holds it any more.
public final class Slot: Sendable {
    private let limiter: SlotLimiter
    private let isHeld = Mutex(true)

    fileprivate init(limiter: SlotLimiter) { self.limiter = limiter }

    deinit { release() }

    /// Gives the slot back; later calls have no effect.
    public func release() {
        let wasHeld = isHeld.withLock { isHeld in
            defer { isHeld = false }
            return isHeld
        }
        if wasHeld { limiter.giveBack() }
    }
}
