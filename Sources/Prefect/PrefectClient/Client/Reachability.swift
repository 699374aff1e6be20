internal import PrefectConcurrency
internal import Synchronization

/// Whether the API answers, derived from the results of attempts. A value without a clock: the caller passes the time.
///
/// An outage begins with a failure and ends with the first good answer to any request. Then everything that waits for
/// the API may try again. A failure shortly after a good answer does not begin an outage, because it shows more about
/// its request than about the API.
struct Reachability: Sendable, Hashable {
    typealias Instant = ContinuousClock.Instant

    /// The meaning of a failure for the state of the API.
    enum Failure: Sendable, Hashable {
        /// The API is unavailable or busy.
        case unreachable
        /// The API may be unavailable, or it may refuse only this request or socket.
        case unclear
    }

    /// For this long after a good answer, a failure does not begin an outage.
    static let certainty: Duration = .seconds(1)
    /// The same for a failure that is ``Failure/unclear``.
    static let wideCertainty: Duration = .seconds(10)
    /// For this long after an outage, failed attempts are retried soon: a server that has just recovered may be busy.
    static let recovery: Duration = .seconds(5)
    /// The pause before such a retry, shortened at random by up to a half.
    static let shortPause: Duration = .seconds(1)
    /// The longest pause of attempts without limit while the API answers other requests, because the API is busy then.
    /// It is shortened in the same way.
    static let busyPause: Duration = .seconds(10)

    /// The number of outages that have ended.
    private(set) var returns = 0
    private(set) var isUnreachable = false
    private var lastAnswer: Instant?
    private var returnedAt: Instant?

    /// Notes a good answer to an attempt. Returns whether it ends an outage.
    mutating func answered(now: Instant) -> Bool {
        lastAnswer = now
        guard isUnreachable else { return false }
        isUnreachable = false
        returns += 1
        returnedAt = now
        return true
    }

    /// Notes a failed attempt.
    mutating func failed(_ failure: Failure, now: Instant) {
        let certainty = failure == .unreachable ? Self.certainty : Self.wideCertainty
        if let lastAnswer, now - lastAnswer < certainty { return }
        isUnreachable = true
    }

    /// The pause before the next attempt, after a failed attempt that began when `begun` outages had ended. `random` is
    /// drawn from 0..<1. After an outage that ended in the meantime, the pause is short. If the attempts have no limit,
    /// which `isPersistent` states, it is also shortened while the API recovers or is busy.
    func pause(
        _ ordinary: Duration, since begun: Int, isPersistent: Bool, now: Instant, random: Double
    ) -> Duration {
        let isRecovering = isPersistent && !isUnreachable && returnedAt.map { now - $0 < Self.recovery } ?? false
        // An attempt that began before the API was available again shows nothing about its state now.
        if isRecovering || returns != begun && !isUnreachable {
            return min(ordinary, Self.shortPause * (1 - random / 2))
        }
        return isPersistent && !isUnreachable ? min(ordinary, Self.busyPause * (1 - random / 2)) : ordinary
    }
}

/// Notifies everything that waits for an unavailable or busy API, as soon as any request has an answer again.
///
/// Each ``APIClient`` has one. The end of an outage ends all pauses between attempts, except those that the API itself
/// requested with `Retry-After`. The limit of connections determines how many of the waiting callers try again at a
/// time.
package final class APIReachability: Sendable {
    private struct Observers {
        var lastNumber = 0
        var actions: [Int: @Sendable () -> Void] = [:]
    }

    private let model = ObservedValue(Reachability())
    private let observers = Mutex(Observers())

    /// Creates the reachability of an API before the first attempt.
    init() {}

    /// The number of outages that have ended. A caller that reads it before an attempt can detect later whether an
    /// outage has ended since.
    package var returns: Int { model.value.returns }

    /// Whether the last attempts show an outage of the API.
    package var isUnreachable: Bool { model.value.isUnreachable }

    /// Notes a good answer to a request, or an open socket.
    func answered() {
        guard model.update({ $0.answered(now: .now) }) else { return }
        for action in observers.withLock({ Array($0.actions.values) }) { action() }
    }

    /// Notes a failed attempt.
    func failed(_ failure: Reachability.Failure) { model.update { $0.failed(failure, now: .now) } }

    /// The pause before the next attempt by the rules of ``Reachability``, and a number of ended outages. The pause
    /// should end early when ``returns`` differs from this number. A shortened pause already accounts for the outages
    /// that ended before it.
    package func nextPause(
        _ ordinary: Duration, since begun: Int, isPersistent: Bool
    ) -> (duration: Duration, returns: Int) {
        let model = model.value
        let duration = model.pause(
            ordinary, since: begun, isPersistent: isPersistent, now: .now, random: .random(in: 0..<1))
        return (duration, duration < ordinary ? model.returns : begun)
    }

    /// Makes a pause between two attempts, which ends early when the API is available again.
    ///
    /// - Parameters:
    ///   - ordinary: The pause while the API is unavailable.
    ///   - begun: The value of ``returns`` when the failed attempt began.
    ///   - isPersistent: Whether the number of attempts has no limit.
    ///   - sleep: Waits for a duration.
    package func pause(
        _ ordinary: Duration, since begun: Int, isPersistent: Bool,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) async throws {
        let (duration, returns) = nextPause(ordinary, since: begun, isPersistent: isPersistent)
        try await raceOf({ try await sleep(duration) }, { await self.model.wait { $0.returns != returns } })
        try Task.checkCancellation()
    }

    /// Calls `onReturn` at the end of each outage, for as long as `body` runs. `onReturn` must not wait.
    package func whileObserving<Result>(
        _ onReturn: @escaping @Sendable () -> Void, isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Result
    ) async rethrows -> Result {
        let number = observers.withLock { observers in
            observers.lastNumber += 1
            observers.actions[observers.lastNumber] = onReturn
            return observers.lastNumber
        }
        defer { observers.withLock { observers in _ = observers.actions.removeValue(forKey: number) } }
        return try await body()
    }
}
