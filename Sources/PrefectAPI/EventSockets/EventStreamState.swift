/// When the socket to `/events/in` is opened, and when it is left alone. A value without I/O.
///
/// It is opened when there is the first event for it, and kept. One that cannot be had, or is lost, is opened again after
/// a pause that grows until events have been confirmed over it.
struct EventStreamState: Sendable, Hashable {
    /// What is to be done now.
    enum Step: Sendable, Hashable {
        /// Nothing, until an event wants the socket.
        case rest
        /// Wait for so long.
        case pause(Duration)
        /// Open the socket.
        case open
    }

    private enum Phase: Hashable {
        case closed
        case opening
        case open
        case failing
    }

    private var phase = Phase.closed
    private var isWanted = false
    private var notBefore: ContinuousClock.Instant?
    private var waitsForAPI = false
    private var policy: ReconnectPolicy

    /// A socket that is not open and that nobody wants.
    init(policy: ReconnectPolicy = ReconnectPolicy()) { self.policy = policy }

    /// Whether events may be sent.
    var isOpen: Bool { phase == .open }

    /// An event wants the socket. Whether that is a reason to ask for the next step.
    mutating func want() -> Bool {
        defer { isWanted = true }
        return !isWanted
    }

    /// What is to be done at a moment. Who is told to open the socket says what became of it.
    mutating func next(now: ContinuousClock.Instant) -> Step {
        guard phase == .closed, isWanted else { return .rest }
        if let notBefore, now < notBefore { return .pause(notBefore - now) }
        phase = .opening
        return .open
    }

    /// The API is back: a socket that failed for a reason that passes is not left alone any longer. Whether that is a reason
    /// to ask for the next step.
    mutating func retryNow() -> Bool {
        guard phase == .closed, waitsForAPI else { return false }
        notBefore = nil
        return true
    }

    /// The socket is open.
    mutating func opened() { phase = .open }

    /// Events were not confirmed: no more are sent over the socket, whose end is still to come.
    mutating func failed() { phase = .failing }

    /// Events have been confirmed.
    mutating func confirmed() { policy.succeeded() }

    /// The socket could not be had, or is lost. `random` is drawn from 0..<1.
    mutating func ended(_ prospect: EventSocketError.Prospect, now: ContinuousClock.Instant, random: Double) {
        phase = .closed
        waitsForAPI = prospect.isPassing
        notBefore = now + policy.pause(isPassing: prospect.isPassing, random: random)
    }
}
