internal import PrefectClient
internal import PrefectConcurrency
internal import Synchronization

/// The slots of a limit, either of a pool or of the daemon. A run holds a slot from the poll that returned it until all
/// work on the run is complete. Some backends free it once the infrastructure exists, see
/// `BackendTraits.holdsSlotUntilEnd`.
///
/// The slots of a pool are within those of the daemon: a run that holds one of the pool's also holds one of the
/// daemon's.
package final class SlotLimiter: Sendable {
    private struct State {
        var limit: Int?
        var used = 0

        /// The number of free slots; `nil` means any number.
        var free: Int? { limit.map { max(0, $0 - used) } }
    }

    /// The number of slots; `nil` means any number.
    package var limit: Int? { state.value.limit }
    /// The limiter that contains this one.
    package let whole: SlotLimiter?
    private let state: ObservedValue<State>

    /// A limiter with free slots only. With `whole`, they are within a limit that several limiters share.
    package init(limit: Int?, within whole: SlotLimiter? = nil) {
        state = ObservedValue(State(limit: limit))
        self.whole = whole
    }

    /// Changes the number of slots; taken slots stay taken.
    package func setLimit(_ limit: Int?) { state.update { $0.limit = limit } }

    /// The number of taken slots.
    package var used: Int { state.value.used }

    /// The number of free slots; `nil` means any number.
    package var free: Int? { [state.value.free, whole?.free].compactMap { $0 }.min() }

    /// Takes a slot; `nil` when none is free.
    package func take() -> Slot? { count() ? Slot(limiter: self) : nil }

    /// Takes a slot for a run that is already in progress, even when the limit is reached.
    func takeBeyondLimit() -> Slot {
        _ = count(beyondLimit: true)
        return Slot(limiter: self)
    }

    private func count(beyondLimit: Bool = false) -> Bool {
        let isTaken = state.update { state in
            if !beyondLimit, state.free == 0 { return false }
            state.used += 1
            return true
        }
        guard isTaken else { return false }
        if let whole, !whole.count(beyondLimit: beyondLimit) {
            state.update { $0.used -= 1 }
            return false
        }
        return true
    }

    /// Waits until a slot may be free, or until the task is cancelled.
    package func waitForFreeSlot() async {
        while !Task.isCancelled, free == 0 {
            await state.wait { $0.free != 0 }
            await whole?.waitForFreeSlot()
        }
    }

    fileprivate func giveBack() {
        whole?.giveBack()
        state.update { $0.used -= 1 }
    }
}

/// A taken slot. It is released once, at the latest when no reference to it exists any more.
package final class Slot: Sendable {
    private let limiter: SlotLimiter
    private let isHeld = Mutex(true)

    fileprivate init(limiter: SlotLimiter) { self.limiter = limiter }

    deinit { release() }

    /// Releases the slot; later calls have no effect.
    package func release() {
        let wasHeld = isHeld.withLock { isHeld in
            defer { isHeld = false }
            return isHeld
        }
        if wasHeld { limiter.giveBack() }
    }
}
