internal import Synchronization

/// A clock that only a test moves.
///
/// It begins at zero. When it moves past the deadlines of sleepers, it wakes them in the order of these deadlines.
///
///     let clock = ManualClock()
///     async let done: Void = work(clock: clock)
///     try await clock.waitForSleepers(1)
///     clock.advance(by: .seconds(30))
///     try await done
public final class ManualClock: Clock {
    /// A moment of the clock: the time since its zero.
    public struct Instant: InstantProtocol, Hashable, Sendable, CustomStringConvertible {
        /// The time since the clock's zero.
        public let offset: Swift.Duration

        /// A moment.
        public init(offset: Swift.Duration = .zero) { self.offset = offset }

        public func advanced(by duration: Swift.Duration) -> Instant { Instant(offset: offset + duration) }
        public func duration(to other: Instant) -> Swift.Duration { other.offset - offset }
        public static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
        public var description: String { "\(offset)" }
    }

    public typealias Duration = Swift.Duration

    private struct Sleeper {
        let number: Int
        let deadline: Instant
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now = Instant()
        var sleepers: [Sleeper] = []
        var serial = 0
        /// Sleeps that were cancelled before they began.
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())
    private let changes = Changes()

    /// A clock at zero.
    public init() {}

    public var now: Instant { state.withLock { $0.now } }

    public var minimumResolution: Swift.Duration { .zero }

    /// The deadlines of the sleepers, the next one first.
    public var sleepers: [Instant] { state.withLock { $0.sleepers.map(\.deadline) } }

    public func sleep(until deadline: Instant, tolerance: Swift.Duration? = nil) async throws {
        let number = state.withLock { state in
            state.serial += 1
            return state.serial
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome = state.withLock { state -> Result<Void, any Error>? in
                    if state.cancelled.remove(number) != nil { return .failure(CancellationError()) }
                    if deadline <= state.now { return .success(()) }
                    let place = state.sleepers.firstIndex { $0.deadline > deadline } ?? state.sleepers.endIndex
                    state.sleepers.insert(
                        Sleeper(number: number, deadline: deadline, continuation: continuation), at: place)
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) } else { changes.notify() }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let place = state.sleepers.firstIndex(where: { $0.number == number }) else {
                    state.cancelled.insert(number)
                    return nil
                }
                return state.sleepers.remove(at: place)
            }
            sleeper?.continuation.resume(throwing: CancellationError())
            changes.notify()
        }
        // A cancellation between the end of the sleep and this line may have added the number to the set.
        state.withLock { _ = $0.cancelled.remove(number) }
    }

    /// Moves the clock and wakes the sleepers that are due.
    ///
    /// A woken task that sleeps again is not woken by the same call, however far the clock moves. Move the clock once
    /// for each sleep, with ``waitForSleepers(_:timeout:isolation:)`` in between.
    public func advance(by duration: Swift.Duration) { advance(to: now.advanced(by: duration)) }

    /// Moves the clock to a moment, never backwards, and wakes the sleepers that are due.
    public func advance(to instant: Instant) {
        let due = state.withLock { state -> [Sleeper] in
            state.now = max(state.now, instant)
            let end = state.sleepers.firstIndex { $0.deadline > state.now } ?? state.sleepers.endIndex
            defer { state.sleepers.removeFirst(end) }
            return Array(state.sleepers.prefix(end))
        }
        for sleeper in due { sleeper.continuation.resume() }
        changes.notify()
    }

    /// Waits until there is a sleeper, and moves the clock just far enough to wake the first one.
    ///
    /// - Returns: The duration of the move.
    @discardableResult
    public func advanceToNextSleeper(
        timeout: Swift.Duration = .seconds(10), isolation: isolated (any Actor)? = #isolation
    ) async throws -> Swift.Duration {
        try await waitForSleepers(1, timeout: timeout)
        let before = now
        guard let next = sleepers.first else { return .zero }
        advance(to: next)
        return before.duration(to: next)
    }

    /// Waits, in real time, until there are at least `count` sleepers.
    ///
    /// - Throws: ``WaitTimeout``, or `CancellationError`.
    public func waitForSleepers(
        _ count: Int, timeout: Swift.Duration = .seconds(10), isolation: isolated (any Actor)? = #isolation
    ) async throws {
        let found = try await changes.wait(timeout: timeout) { self.sleepers.count >= count ? true : nil }
        if found == nil {
            throw WaitTimeout(
                what: "\(count) sleep on the clock", timeout: timeout,
                detail: "it is \(now) and those who sleep are due at \(sleepers)")
        }
    }
}
