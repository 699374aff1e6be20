/// For how long a pool has had nothing to do, as its polls show it. This type reads no clock; callers pass the time.
///
/// Only the time between two polls that both found nothing counts. So the time of an outage does not count.
struct IdleTime: Sendable, Hashable {
    /// The idle time so far.
    private(set) var total: Duration = .zero
    private var last: ContinuousClock.Instant?

    /// Records that a poll at this time found no run to start, and that none was in flight.
    mutating func noteIdle(at now: ContinuousClock.Instant) {
        if let last { total += now - last }
        last = now
    }

    /// Records that there was a run.
    mutating func noteBusy() { self = IdleTime() }

    /// Records that it is not known whether there are runs.
    mutating func noteUnknown() { last = nil }
}
