import FoundationEssentials
import HTTPTransport
import JSON
import Testing

@testable import PrefectAPI

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

    @Test("Retry-After is read as seconds and as a date, and anything else is ignored")
    func retryAfterHeader() throws {
        let now = try #require(Timestamp("2026-01-02T03:04:05Z")?.date)
        #expect(RetryAfter.parse("5", now: now) == .seconds(5))
        #expect(RetryAfter.parse(" 0.5 ", now: now) == .seconds(0.5))
        #expect(RetryAfter.parse("-3", now: now) == .zero)
        #expect(RetryAfter.parse("Fri, 02 Jan 2026 03:04:15 GMT", now: now) == .seconds(10))
        #expect(RetryAfter.parse("Thu, 01 Jan 1970 00:00:00 GMT", now: now) == .zero)
        for text in [
            "", "soon", "nan", "inf", "0x10", "Fri, 32 Jan 2026 03:04:15 GMT", "Fri, 02 Foo 2026 03:04:15 GMT",
        ] {
            #expect(RetryAfter.parse(text, now: now) == nil, "\(text)")
        }
    }
}

@Suite("Parts of a path")
struct PercentEncodingTests {
    @Test(
        "every character of a name stays within its part of the path",
        arguments: [
            ("plain-Name_1.~", "plain-Name_1.~"), ("a/b", "a%2Fb"), ("50%", "50%25"), ("what?", "what%3F"),
            ("#1", "%231"), ("a b", "a%20b"), ("..", "%2E%2E"), (".", "%2E"), ("...", "%2E%2E%2E"), ("a..b", "a..b"),
            ("ü", "%C3%BC"), ("\n", "%0A"), ("", ""),
        ])
    func encoding(text: String, encoded: String) {
        #expect(PercentEncoding.encode(text) == encoded)
    }

    @Test("the target is made of encoded parts and a query")
    func target() {
        let request = APIRequest(.get, ["a b", ""], query: [("x&", "1=2")])
        #expect(request.target == "/a%20b/?x%26=1%3D2")
        #expect(request.operation == "GET /a%20b/")
    }
}
