/// Decides when to open a WebSocket, and when to pause. A value without I/O.
///
/// A wanted socket is opened and then stays open. A socket that failed to open, or was lost, is opened again after a
/// pause. The pauses grow until a socket has worked.
struct ReconnectMachine: Sendable, Hashable {
    /// A step for the caller.
    enum Step: Sendable, Hashable {
        /// Do nothing until the socket is wanted.
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
    private var skipsPause = false
    private var policy: ReconnectPolicy

    /// The state of a socket that is not open and not wanted.
    init(policy: ReconnectPolicy = ReconnectPolicy()) { self.policy = policy }

    /// Whether the socket is open.
    var isOpen: Bool { phase == .open }

    /// Notes that the socket is wanted. Returns whether the caller should request the next step.
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
        skipsPause = false
        return .open
    }

    /// Ends the pause after a temporary failure: the API is available again. Returns whether the caller should request
    /// the next step.
    mutating func retryNow() -> Bool {
        guard phase == .closed, waitsForAPI else { return false }
        notBefore = nil
        return true
    }

    /// Ends the pause after any failure, or omits the one after the attempt that is under way. Returns whether the
    /// caller should request the next step.
    mutating func retryOnRequest() -> Bool {
        switch phase {
        case .closed: notBefore = nil
        case .opening: skipsPause = true
        case .open, .failing: break
        }
        return phase == .closed
    }

    /// Notes that the socket is open.
    mutating func opened() { phase = .open }

    /// Notes that the open socket does not work any more. The caller reports its end later.
    mutating func failed() { phase = .failing }

    /// Notes that the socket has worked.
    mutating func confirmed() { policy.succeeded() }

    /// Notes the loss of a socket that was open for this long.
    mutating func lost(after life: Duration) { policy.lost(after: life) }

    /// Notes that the socket failed to open, or was lost. `random` is drawn from 0..<1.
    mutating func ended(_ prospect: SocketProspect, now: ContinuousClock.Instant, random: Double) {
        phase = .closed
        waitsForAPI = prospect == .passing
        let pause = policy.pause(isPassing: prospect == .passing, random: random)
        notBefore = skipsPause ? nil : now + pause
    }
}
