import FoundationEssentials
import HTTPTransport
import PrefectJSON
import Testing

@testable import PrefectClient

@Suite("Policy for repeated requests")
struct RetryPolicyTests {
    private func delay(_ decision: RetryPolicy.Decision) -> Double? {
        if case .retry(let delay, _) = decision { delay.inSeconds } else { nil }
    }

    private func status(_ code: Int, after: Duration? = nil, maintenance: Bool = false) -> RetryPolicy.Outcome {
        .status(code, retryAfter: after, isMaintenance: maintenance)
    }

    @Test(
        "temporary failures are retried, and client errors and broken servers are not",
        arguments: [
            (408, true), (429, true), (502, true), (503, true), (400, false), (401, false), (403, false), (404, false),
            (409, false), (422, false), (500, false), (501, false), (504, false),
        ])
    func statuses(code: Int, isRetried: Bool) {
        let policy = RetryPolicy(jitterFactor: 0)
        #expect(
            (delay(policy.decide(after: status(code), attempt: 1, effort: .standard, random: 0)) != nil) == isRetried)
        let persistent = policy.decide(after: status(code), attempt: 100, effort: .persistent, random: 0)
        #expect((delay(persistent) != nil) == (isRetried || code >= 500 || code == 401))
        #expect(policy.decide(after: status(code), attempt: 1, effort: .once, random: 0) == .stop)
    }

    @Test("extra codes are also retried")
    func extraCodes() {
        let policy = RetryPolicy(jitterFactor: 0, extraCodes: [409, 500])
        #expect(policy.isRetried(409, effort: .standard))
        #expect(policy.isRetried(500, effort: .standard))
        #expect(!policy.isRetried(504, effort: .standard))
    }

    @Test("delays double up to a minute, and attempts are limited")
    func backoff() {
        let policy = RetryPolicy(maxRetries: 5, jitterFactor: 0)
        let delays = (1...6).map { delay(policy.decide(after: .noAnswer, attempt: $0, effort: .standard, random: 0)) }
        #expect(delays == [2, 4, 8, 16, 32, nil])
        for attempt in [6, 10, 63, 64, 100_000] {
            #expect(delay(policy.decide(after: .noAnswer, attempt: attempt, effort: .persistent, random: 0)) == 60)
        }
        let none = RetryPolicy(maxRetries: 0)
        #expect(none.decide(after: .noAnswer, attempt: 1, effort: .standard, random: 0) == .stop)
    }

    @Test("Retry-After is kept with a small added jitter and an upper limit")
    func retryAfter() {
        let exact = RetryPolicy(jitterFactor: 0)
        #expect(
            delay(exact.decide(after: status(429, after: .seconds(7)), attempt: 1, effort: .standard, random: 0)) == 7)
        #expect(
            delay(exact.decide(after: status(429, after: .seconds(86_400)), attempt: 1, effort: .standard, random: 0))
                == 600)
        let jittered = RetryPolicy(jitterFactor: 0.2)
        for random in stride(from: 0, to: 1, by: 0.1) {
            let outcome = status(503, after: .seconds(10))
            let chosen = delay(jittered.decide(after: outcome, attempt: 1, effort: .standard, random: random)) ?? 0
            #expect((10...12).contains(chosen))
        }
    }

    @Test("a retry during maintenance does not count as an attempt, and effort once does not retry")
    func maintenance() {
        let policy = RetryPolicy(maxRetries: 0, jitterFactor: 0)
        let outcome = status(503, maintenance: true)
        #expect(
            policy.decide(after: outcome, attempt: 1, effort: .standard, random: 0)
                == .retry(after: .seconds(1), countsAsAttempt: false))
        #expect(policy.decide(after: outcome, attempt: 1, effort: .once, random: 0) == .stop)
    }
}

@Suite("The path of an API request")
struct APIRequestTests {
    @Test("the target is made of encoded parts and a query")
    func target() {
        let request = APIRequest(.get, ["a b", ""], query: [("x&", "1=2")])
        #expect(request.target == "/a%20b/?x%26=1%3D2")
        #expect(request.operation == "GET /a%20b/")
    }
}
