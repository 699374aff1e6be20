import HTTPTransport
import PrefectREST
import Testing

@Suite("The policy for repeated requests")
struct RetriesTests {
    private func failure(
        _ kind: RequestFailure.Kind = .status(429), retryAfter: Duration? = nil, mayHaveBeenApplied: Bool? = nil
    ) -> RequestFailure {
        RequestFailure(
            kind, operation: "op", reason: ServiceReason(message: "", retryAfter: retryAfter),
            mayHaveBeenApplied: mayHaveBeenApplied)
    }

    private let exact = Retries(limit: 3, jitterFactor: 0)

    @Test("pauses double up to a limit, and attempts are limited")
    func pauses() {
        let pauses = (1...4).map { exact.pause(after: failure(), attempt: $0, random: 0) }
        #expect(pauses == [.seconds(1), .seconds(2), .seconds(4), nil])
        let endless = Retries(limit: nil, longestPause: .seconds(8), jitterFactor: 0)
        for attempt in [4, 5, 64, 1_000_000] {
            #expect(endless.pause(after: failure(), attempt: attempt, random: 0) == .seconds(8))
        }
        #expect(Retries.none.pause(after: failure(), attempt: 1, random: 0) == nil)
    }

    @Test("lasting failures are not repeated, and possible effects only on request")
    func kinds() {
        #expect(exact.pause(after: failure(.status(400)), attempt: 1, random: 0) == nil)
        #expect(exact.pause(after: failure(.malformed), attempt: 1, random: 0) == nil)
        #expect(exact.pause(after: failure(.status(503)), attempt: 1, random: 0) == nil)
        let repeating = Retries(limit: 3, repeatsApplied: true, jitterFactor: 0)
        #expect(repeating.pause(after: failure(.status(503)), attempt: 1, random: 0) == .seconds(1))
    }

    @Test("Retry-After replaces the pause, and is limited and never shortened")
    func retryAfter() {
        let asked = failure(retryAfter: .seconds(7))
        #expect(exact.pause(after: asked, attempt: 3, random: 0) == .seconds(7))
        let long = failure(retryAfter: .seconds(86_400))
        #expect(exact.pause(after: long, attempt: 1, random: 0) == .seconds(600))
        let jittered = Retries(limit: 3, jitterFactor: 0.2)
        for random in stride(from: 0, to: 1, by: 0.1) {
            let pause = jittered.pause(after: asked, attempt: 1, random: random) ?? .zero
            #expect((Duration.seconds(7)...Duration.seconds(8.4)).contains(pause))
            let ordinary = jittered.pause(after: failure(), attempt: 1, random: random) ?? .zero
            #expect((Duration.seconds(0.8)...Duration.seconds(1.2)).contains(ordinary))
        }
    }
}
