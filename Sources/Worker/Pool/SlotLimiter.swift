internal import PrefectAPI
internal import Synchronization

/// The slots of a pool's `--limit`: a run holds one from the poll that brought it until everything about it is done.
public final class SlotLimiter: Sendable {
    private struct State {
        var used = 0
    }

    /// How many slots there are; `nil` means any number.
    public let limit: Int?
    private let state = Mutex(State())
    private let freed = Wakeup()

    /// A limiter whose slots are all free.
    public init(limit: Int?) { self.limit = limit }

    /// How many slots are taken.
    public var used: Int { state.withLock { $0.used } }

    /// How many slots are free; `nil` means any number.
    public var free: Int? { limit.map { max(0, $0 - used) } }

    /// Takes a slot; `nil` when none is free.
    public func take() -> Slot? {
        let isTaken = state.withLock { state in
            if let limit, state.used >= limit { return false }
            state.used += 1
            return true
        }
        return isTaken ? Slot(limiter: self) : nil
    }

    /// Takes a slot for a run that goes on already, be the limit reached or not.
    func takeBeyondLimit() -> Slot {
        state.withLock { $0.used += 1 }
        return Slot(limiter: self)
    }

    /// Waits until a slot may be free, or for the task's cancellation.
    public func waitForFreeSlot() async {
        while !Task.isCancelled, let free, free == 0 { await freed.wait() }
    }

    fileprivate func giveBack() {
        state.withLock { $0.used -= 1 }
        freed.signal()
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
