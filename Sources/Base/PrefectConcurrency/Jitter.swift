internal import FoundationEssentials

#if canImport(Glibc)
internal import Glibc
#endif

/// Random intervals that spread the requests of many workers, from the same distributions as Prefect's client uses.
package enum Jitter {
    /// An exponential interval around `mean`, kept within ±`factor` so that its mean stays `mean`.
    ///
    /// With a factor of 0.3 the result lies in 0.7517…1.3 times the mean. `random` is drawn from 0..<1.
    package static func clampedPoisson(mean: Double, factor: Double, random: Double) -> Double {
        guard mean > 0 else { return 0 }
        guard factor > 0 else { return mean }
        let upper = mean * (1 + factor)
        let power = exp2(1 + factor)
        let lower = max(0, mean * log2(power / (power - 1)))
        return exponential(mean: mean, from: lower, to: upper, random: random)
    }

    /// An exponential interval around the middle of a range, kept within it.
    package static func boundedPoisson(from lower: Double, to upper: Double, random: Double) -> Double {
        guard upper > lower else { return max(0, lower) }
        return exponential(mean: (lower + upper) / 2, from: lower, to: upper, random: random)
    }

    private static func exponential(mean: Double, from lower: Double, to upper: Double, random: Double) -> Double {
        guard mean > 0 else { return 0 }
        let low = 1 - exp(-lower / mean)
        let high = 1 - exp(-upper / mean)
        let drawn = low + (high - low) * random
        return min(max(-mean * log(1 - drawn), lower), upper)
    }
}
