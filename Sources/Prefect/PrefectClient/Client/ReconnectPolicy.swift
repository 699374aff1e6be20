internal import PrefectConcurrency

/// The pauses before a WebSocket that failed to open, or was lost, is opened again. A value without I/O.
struct ReconnectPolicy: Sendable, Hashable {
    /// The longest pause after the first failure; it doubles with each further failure.
    var shortest = Duration.seconds(1)
    /// The longest pause after temporary failures. The workers of a restarted server are connected again within this
    /// time.
    var longest = Duration.seconds(15)
    /// The mean pause when somebody has to change something first, or when the endpoint does not exist.
    var lasting = Duration.seconds(300)
    /// A socket that stayed open for this long counts as successful.
    var proven = Duration.seconds(30)
    private var failures = 0

    /// Creates a policy with pauses of one to 15 seconds, and of five minutes.
    init() {}

    /// The pause after a failure; `isPassing` states whether the failure is temporary. `random`, drawn from 0..<1,
    /// selects from the upper half of the pause after a temporary failure. So workers that lost the same server do not
    /// reconnect all at once.
    mutating func pause(isPassing: Bool, random: Double) -> Duration {
        guard isPassing else {
            failures = 0
            return .seconds(Jitter.clampedPoisson(mean: lasting / .seconds(1), factor: 0.3, random: random))
        }
        failures += 1
        return Backoff(from: shortest, to: longest).pause(afterFailures: failures) * (1 - random / 2)
    }

    /// Notes that the socket has worked.
    mutating func succeeded() { failures = 0 }

    /// Notes the loss of a socket that was open for this long.
    mutating func lost(after life: Duration) {
        if life >= proven { succeeded() }
    }
}
