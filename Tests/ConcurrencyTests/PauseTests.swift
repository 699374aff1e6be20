import PrefectConcurrency
import Testing

@Suite("Pauses between attempts")
struct PauseTests {
    @Test("pauses double from the shortest to the longest, and there is none without a failure")
    func backoff() {
        let backoff = Backoff(from: .seconds(1), to: .seconds(10))
        #expect((0...6).map { backoff.pause(afterFailures: $0) / .seconds(1) } == [0, 1, 2, 4, 8, 10, 10])
        #expect(backoff.pause(afterFailures: -1) == .zero)
    }

    @Test("pauses stay at the longest after any number of failures", arguments: [32, 33, 64, 1000, Int.max])
    func bounded(failures: Int) {
        #expect(Backoff(from: .milliseconds(1), to: .seconds(60)).pause(afterFailures: failures) == .seconds(60))
        let years = Duration.seconds(315_360_000)
        #expect(Backoff(from: years, to: years).pause(afterFailures: failures) == years)
    }

    @Test("jitter stays within its bounds and keeps the mean", arguments: [0.1, 0.2, 0.3, 1.0])
    func jitter(factor: Double) {
        let steps = 10_000
        let values = (0..<steps).map { step in
            Jitter.clampedPoisson(mean: 10, factor: factor, random: Double(step) / Double(steps))
        }
        #expect(values.allSatisfy { $0 >= 0 && $0 <= 10 * (1 + factor) + 1e-9 })
        #expect(values == values.sorted())
        let mean = values.reduce(0, +) / Double(steps)
        #expect(abs(mean - 10) < 0.5)
        #expect(Jitter.clampedPoisson(mean: 10, factor: 0, random: 0.7) == 10)
        #expect(Jitter.clampedPoisson(mean: 0, factor: factor, random: 0.7) == 0)
        #expect(Jitter.boundedPoisson(from: 3, to: 3, random: 0.5) == 3)
        #expect(Jitter.boundedPoisson(from: 0, to: 0, random: 0.5) == 0)
    }
}
