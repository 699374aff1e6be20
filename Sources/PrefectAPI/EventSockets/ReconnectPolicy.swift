/// How long an event socket that could not be had, or was lost, is left alone. A value without I/O.
struct ReconnectPolicy: Sendable, Hashable {
    /// The pause after the first failure, on the average; it doubles with each.
    var shortest = Duration.seconds(1)
    /// No pause is longer.
    var longest = Duration.seconds(60)
    /// The pause where there is no such socket.
    var withoutEndpoint: Duration
    /// A socket that lived so long had not failed.
    var proven = Duration.seconds(30)
    private var failures = 0

    /// Pauses of a second to a minute.
    init(withoutEndpoint: Duration = .seconds(300)) { self.withoutEndpoint = withoutEndpoint }

    /// The pause after a failure. `random` is drawn from 0..<1.
    mutating func pause(after prospect: EventSocketError.Prospect, random: Double) -> Duration {
        failures += 1
        let mean =
            prospect == .noEndpoint
            ? withoutEndpoint.seconds : min(shortest.seconds * Double(1 << min(failures - 1, 16)), longest.seconds)
        let limit = prospect == .noEndpoint ? mean : longest.seconds
        return .seconds(min(Jitter.clampedPoisson(mean: mean, factor: 0.3, random: random), limit))
    }

    /// The socket has proven itself.
    mutating func succeeded() { failures = 0 }

    /// A socket was lost after it had been open for so long.
    mutating func lost(after life: Duration) {
        if life >= proven { succeeded() }
    }
}

extension Duration {
    /// The duration as a number of seconds.
    fileprivate var seconds: Double { self / .seconds(1) }
}
