internal import PrefectAPI
internal import Synchronization

/// What speaks for a poll before its ordinary time: runs that the API has announced, and those that are due later. A
/// value without a clock: it is told the time.
///
/// Polls are work for the API. So what is announced within a moment is left to one poll, and polls that bring nothing
/// become rare.
struct PollAgenda: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// The least time between two polls.
    static let pause: Duration = .milliseconds(200)
    /// So many polls in a row may bring nothing before they are held back.
    static let fullCredit = 10
    /// How long it takes until one more is allowed then.
    static let creditPeriod: Duration = .seconds(2)
    /// How many runs are kept in mind; the ordinary polls find the others.
    static let capacity = 1_000

    private var announced: Set<String> = []
    private var isAskedFor = false
    /// When runs that are due later are to be polled for, the earliest first.
    private var moments: [Instant] = []
    private var lastPoll: Instant?
    private var credit = Self.fullCredit
    private var creditedAt: Instant?
    private var isEarly = false

    /// A run may be due.
    mutating func announce(_ run: String) {
        if announced.count < Self.capacity { announced.insert(run) } else { isAskedFor = true }
    }

    /// Runs may have been missed.
    mutating func ask() { isAskedFor = true }

    /// Runs will be due at these moments.
    mutating func expect(at new: [Instant]) {
        moments = Array((moments + new).sorted().prefix(Self.capacity))
    }

    /// When to poll, if there is a reason to poll before the ordinary time. While polls fail, what was announced waits;
    /// only a reason to think that the API is back does not.
    func nextPoll(now: Instant, whileFailing isFailing: Bool = false) -> Instant? {
        var next: Instant
        if isAskedFor || (!isFailing && !announced.isEmpty) {
            next = now
        } else if !isFailing, let moment = moments.first {
            next = max(moment, now)
        } else {
            return nil
        }
        if let lastPoll { next = max(next, lastPoll + Self.pause) }
        if credit == 0, let creditedAt { next = max(next, creditedAt + Self.creditPeriod) }
        return next
    }

    /// A poll begins; returns the runs that it may bring.
    mutating func beginPoll(now: Instant) -> Set<String> {
        renewCredit(now)
        isEarly = !announced.isEmpty || isAskedFor || moments.first.map { $0 <= now } ?? false
        defer {
            announced = []
            isAskedFor = false
            moments.removeAll { $0 <= now }
            lastPoll = now
        }
        return announced
    }

    /// A poll was answered, and runs of it were taken or not.
    mutating func endPoll(bringingRuns: Bool, now: Instant) {
        if bringingRuns {
            credit = Self.fullCredit
        } else if isEarly {
            if credit == Self.fullCredit { creditedAt = now }
            credit = max(0, credit - 1)
        }
    }

    private mutating func renewCredit(_ now: Instant) {
        while credit < Self.fullCredit, let last = creditedAt, last + Self.creditPeriod <= now {
            credit += 1
            creditedAt = last + Self.creditPeriod
        }
    }
}

/// A ``PollAgenda`` that some write to and the poll loop follows.
final class PollHints: Sendable {
    private let agenda = Mutex(PollAgenda())
    private let changed = Wakeup()

    /// Changes the agenda.
    func update<Result>(_ change: (inout PollAgenda) -> sending Result) -> sending Result {
        let result = agenda.withLock { change(&$0) }
        changed.signal()
        return result
    }

    /// Waits until the next poll is due, at the latest at its ordinary time, or until the agenda has changed.
    func wait(until ordinary: ContinuousClock.Instant, whileFailing isFailing: Bool) async {
        let now = ContinuousClock.now
        let next = agenda.withLock { $0.nextPoll(now: now, whileFailing: isFailing) } ?? ordinary
        await changed.wait(atMost: min(next, ordinary) - now)
    }

    /// Whether a poll is due before its ordinary time.
    func isPollDue(whileFailing isFailing: Bool) -> Bool {
        let now = ContinuousClock.now
        return agenda.withLock { $0.nextPoll(now: now, whileFailing: isFailing) }.map { $0 <= now } ?? false
    }
}
