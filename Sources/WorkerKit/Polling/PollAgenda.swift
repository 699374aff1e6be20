internal import PrefectClient
internal import PrefectConcurrency
internal import Synchronization

/// The reasons to poll before the ordinary time: runs that the API has announced, and runs that become due later. This
/// type reads no clock; callers pass the time.
///
/// Every poll costs the API work. So one poll serves all announcements of a short period, and polls that find no runs
/// become rare.
struct PollAgenda: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// The shortest time between two polls.
    static let pause: Duration = .milliseconds(200)
    /// The number of consecutive early polls that may find no run before the agenda delays early polls.
    static let fullCredit = 10
    /// The period after which the agenda allows one more early poll then.
    static let creditPeriod: Duration = .seconds(2)
    /// The maximum number of runs that the agenda stores; ordinary polls find the others.
    static let capacity = 1_000

    private var announced: Set<String> = []
    private var isAskedFor = false
    /// The times at which to poll for runs that become due later, the earliest first.
    private var moments: [Instant] = []
    private var lastPoll: Instant?
    private var credit = Self.fullCredit
    private var creditedAt: Instant?
    private var isEarly = false

    /// Records that a run may be due.
    mutating func announce(_ run: String) {
        if announced.count < Self.capacity { announced.insert(run) } else { isAskedFor = true }
    }

    /// Records that the worker may have missed runs.
    mutating func ask() { isAskedFor = true }

    /// Records the times at which to poll for runs that become due later.
    mutating func expect(at new: [Instant]) {
        moments = Array((moments + new).sorted().prefix(Self.capacity))
    }

    /// The time of the next poll, or `nil` without a reason to poll before the ordinary time. While polls fail,
    /// announced runs wait. Only ``ask()`` does not wait then, because its caller expects the API to be available
    /// again.
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

    /// Records the start of a poll. Returns the announced runs, which the poll may return.
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

    /// Records the answer to a poll. `bringingRuns` states whether the worker took runs from it.
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

/// A ``PollAgenda`` that other parts of the worker write to and the poll loop follows.
final class PollHints: Sendable {
    private let agenda = Mutex(PollAgenda())
    private let changed = AsyncSignal()

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
