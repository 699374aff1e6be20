internal import Synchronization

/// Whether the API answers, as the attempts that end say it. A value without a clock: it is given the time.
///
/// An outage begins with a failure and ends with the first good answer to anybody: then everything that waits for the API
/// may try again. A failure right after a good answer begins no outage, for it says more of its request than of the API.
struct Reachability: Sendable, Hashable {
    typealias Instant = ContinuousClock.Instant

    /// The meaning of a failure for the API.
    enum Failure: Sendable, Hashable {
        /// It is away or busy.
        case away
        /// It may be away; it may as well have something against this request or socket.
        case unclear
    }

    /// For so long after a good answer a failure is not the beginning of an outage.
    static let certainty: Duration = .seconds(1)
    /// The same for a failure that may have another reason.
    static let wideCertainty: Duration = .seconds(10)
    /// For so long after an outage what fails is tried again soon: a server that has just come back may be busy.
    static let recovery: Duration = .seconds(5)
    /// The pause before it, which chance shortens by up to a half.
    static let shortPause: Duration = .seconds(1)
    /// The longest pause, shortened in the same way, of attempts without limit while the API answers others: it is busy.
    static let busyPause: Duration = .seconds(10)

    /// How many outages have ended.
    private(set) var returns = 0
    private(set) var isAway = false
    private var lastAnswer: Instant?
    private var returnedAt: Instant?

    /// An attempt brought a good answer. Returns whether that ends an outage.
    mutating func answered(now: Instant) -> Bool {
        lastAnswer = now
        guard isAway else { return false }
        isAway = false
        returns += 1
        returnedAt = now
        return true
    }

    /// An attempt failed.
    mutating func failed(_ failure: Failure, now: Instant) {
        let certainty = failure == .away ? Self.certainty : Self.wideCertainty
        if let lastAnswer, now - lastAnswer < certainty { return }
        isAway = true
    }

    /// The pause before the next attempt, of one that began when so many outages had ended and has failed. `random` is drawn
    /// from 0..<1. Only where attempts have no limit, which `isPersistent` says, they may be made sooner than usual.
    func pause(
        _ ordinary: Duration, since begun: Int, isPersistent: Bool, now: Instant, random: Double
    ) -> Duration {
        let isRecovering = isPersistent && !isAway && returnedAt.map { now - $0 < Self.recovery } ?? false
        // The failure of an attempt that began before the API was back says nothing about its state now.
        if isRecovering || returns != begun && !isAway { return min(ordinary, Self.shortPause * (1 - random / 2)) }
        return isPersistent && !isAway ? min(ordinary, Self.busyPause * (1 - random / 2)) : ordinary
    }
}

/// Tells everything that waits for the API, because it was away or busy, when somebody has had an answer again.
///
/// There is one for each ``APIClient``. All pauses between attempts end with it, but for those that the API itself asked for
/// with `Retry-After`. The limit of connections rules how many of those who waited ask at a time.
package final class APIReachability: Sendable {
    private struct Observers {
        var lastNumber = 0
        var actions: [Int: @Sendable () -> Void] = [:]
    }

    private let model = Live(Reachability())
    private let observers = Mutex(Observers())

    /// The reachability of an API with which nothing has been tried yet.
    init() {}

    /// How many outages have ended; asked for before an attempt, it shows later whether one has ended since.
    package var returns: Int { model.value.returns }

    /// Whether the last attempts show an outage of the API.
    package var isAway: Bool { model.value.isAway }

    /// Notes a good answer to a request, or a socket that is open.
    func answered() {
        guard model.update({ $0.answered(now: .now) }) else { return }
        for action in observers.withLock({ Array($0.actions.values) }) { action() }
    }

    /// Notes an attempt that failed.
    func failed(_ failure: Reachability.Failure) { model.update { $0.failed(failure, now: .now) } }

    /// The pause before the next attempt of something that has failed, in the way of ``Reachability``, and the number of
    /// ended outages as long as nothing cuts it short: the pause is for all that has happened before it.
    package func nextPause(
        _ ordinary: Duration, since begun: Int, isPersistent: Bool
    ) -> (duration: Duration, returns: Int) {
        let model = model.value
        let duration = model.pause(
            ordinary, since: begun, isPersistent: isPersistent, now: .now, random: .random(in: 0..<1))
        return (duration, duration < ordinary ? model.returns : begun)
    }

    /// Makes a pause between two attempts, which ends early when the API is back.
    ///
    /// - Parameters:
    ///   - ordinary: How long to wait while the API is away.
    ///   - begun: What ``returns`` was when the attempt began that has failed.
    ///   - isPersistent: Whether there is no limit to the number of attempts.
    ///   - sleep: How the time passes.
    package func pause(
        _ ordinary: Duration, since begun: Int, isPersistent: Bool,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) async throws {
        let (duration, returns) = nextPause(ordinary, since: begun, isPersistent: isPersistent)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await sleep(duration) }
            group.addTask { await self.model.wait { $0.returns != returns } }
            defer { group.cancelAll() }
            try await group.next()
            try Task.checkCancellation()
        }
    }

    /// Calls something at the end of each outage, for as long as `body` runs. It must not wait.
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
