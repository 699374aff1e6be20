/// How long a WebSocket that could not be had, or was lost, is left alone. A value without I/O.
struct ReconnectPolicy: Sendable, Hashable {
    /// The longest pause after the first failure; it doubles with each.
    var shortest = Duration.seconds(1)
    /// No pause after what passes is longer: a server that was restarted has its workers back by then.
    var longest = Duration.seconds(15)
    /// The pause, on the average, where somebody has to do something first, or there is no such endpoint.
    var lasting = Duration.seconds(300)
    /// A socket that lived so long had not failed.
    var proven = Duration.seconds(30)
    private var failures = 0

    /// Pauses of a second to a quarter of a minute, and of five minutes.
    init() {}

    /// The pause after a failure that passes, or does not. Workers that lost the same server do not come back together:
    /// `random`, drawn from 0..<1, chooses within the upper half of the pause.
    mutating func pause(isPassing: Bool, random: Double) -> Duration {
        guard isPassing else {
            failures = 0
            return .seconds(Jitter.clampedPoisson(mean: lasting / .seconds(1), factor: 0.3, random: random))
        }
        failures += 1
        return min(shortest * (1 << min(failures - 1, 16)), longest) * (1 - random / 2)
    }

    /// The socket has proven itself.
    mutating func succeeded() { failures = 0 }

    /// A socket was lost after it had been open for so long.
    mutating func lost(after life: Duration) {
        if life >= proven { succeeded() }
    }
}
