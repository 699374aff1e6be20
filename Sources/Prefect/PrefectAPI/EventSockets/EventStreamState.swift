/// Decides when to open the socket to `/events/in`, and when to pause. A value without I/O.
///
/// The first event opens the socket, which then stays open. A socket that failed to open, or was lost, is opened again
/// after a pause. The pause grows until a socket has confirmed events.
struct EventStreamState: Sendable, Hashable {
    /// A step for the caller.
    enum Step: Sendable, Hashable {
        /// Do nothing until an event needs the socket.
        case rest
        /// Wait for this long.
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

    /// The state of a socket that is not open and that no event needs.
    init(policy: ReconnectPolicy = ReconnectPolicy()) { self.policy = policy }

    /// Whether events may be sent.
    var isOpen: Bool { phase == .open }

    /// Notes that an event needs the socket. Returns whether the caller should request the next step.
    mutating func want() -> Bool {
        defer { isWanted = true }
        return !isWanted
    }

    /// The step at this moment. A caller that gets ``Step/open`` reports the result with ``opened()`` or
    /// ``ended(_:now:random:)``.
    mutating func next(now: ContinuousClock.Instant) -> Step {
        guard phase == .closed, isWanted else { return .rest }
        if let notBefore, now < notBefore { return .pause(notBefore - now) }
        phase = .opening
        return .open
    }

    /// Ends the pause after a temporary failure: the API is available again. Returns whether the caller should request
    /// the next step.
    mutating func retryNow() -> Bool {
        guard phase == .closed, waitsForAPI else { return false }
        notBefore = nil
        return true
    }

    /// Notes that the socket is open.
    mutating func opened() { phase = .open }

    /// Notes that a delivery was not confirmed. No more events are sent over the socket; the caller reports its end
    /// later.
    mutating func failed() { phase = .failing }

    /// Notes that the server has confirmed events.
    mutating func confirmed() { policy.succeeded() }

    /// Notes that the socket failed to open, or was lost. `random` is drawn from 0..<1.
    mutating func ended(_ prospect: EventSocketError.Prospect, now: ContinuousClock.Instant, random: Double) {
        phase = .closed
        waitsForAPI = prospect.isPassing
        notBefore = now + policy.pause(isPassing: prospect.isPassing, random: random)
    }
}
