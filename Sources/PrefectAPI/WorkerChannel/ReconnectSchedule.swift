internal import JSON

/// When a worker channel that is not there is tried again. A value without I/O.
struct ReconnectSchedule: Sendable {
    /// The longest pause after the first failure; it doubles with each.
    var shortest = 1.0
    /// No pause after what passes is longer.
    var longest = 30.0
    /// The pause, on the average, after what lasts and where there is no such endpoint.
    var slow = 300.0
    private var failures = 0

    init(shortest: Double = 1, longest: Double = 30, slow: Double = 300) {
        self.shortest = shortest
        self.longest = longest
        self.slow = slow
    }

    /// The pause before the next attempt, in seconds. Workers that lost the same server do not come back together:
    /// `random`, drawn from 0..<1, chooses within the upper half of the pause.
    mutating func pause(after prospect: ChannelOutage.Prospect, random: Double) -> Double {
        guard prospect == .passing else {
            failures = 0
            return Jitter.clampedPoisson(mean: slow, factor: 0.3, random: random)
        }
        failures += 1
        let whole = min(shortest * Double(1 << min(failures - 1, 16)), longest)
        return whole * (1 - random / 2)
    }

    /// The channel was healthy.
    mutating func succeeded() { failures = 0 }
}
