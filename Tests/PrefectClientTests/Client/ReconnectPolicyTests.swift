import Testing

@testable import PrefectClient

@Suite("Pauses before a WebSocket is opened again")
struct ReconnectPolicyTests {
    @Test("pauses double up to 15 seconds, vary in their upper half, and restart after success")
    func doubling() {
        var policy = ReconnectPolicy()
        let longest = (0..<7).map { _ in policy.pause(isPassing: true, random: 0) / .seconds(1) }
        #expect(longest == [1, 2, 4, 8, 15, 15, 15])
        #expect(policy.pause(isPassing: true, random: 0.999) > .seconds(7.5))
        policy.succeeded()
        #expect(policy.pause(isPassing: true, random: 0.5) == .seconds(0.75))
    }

    @Test("pauses after a lasting failure are about five minutes")
    func lasting() {
        var policy = ReconnectPolicy()
        for random in [0, 0.5, 0.999] {
            let pause = policy.pause(isPassing: false, random: random)
            #expect((.seconds(225)...(.seconds(390))).contains(pause))
        }
        #expect(policy.pause(isPassing: true, random: 0) == .seconds(1))
    }

    @Test("workers that lose a server at the same time reconnect at different times")
    func spread() {
        let pauses = [0.0, 0.2, 0.4, 0.6, 0.8].map { random in
            var policy = ReconnectPolicy()
            return policy.pause(isPassing: true, random: random)
        }
        #expect(Set(pauses).count == 5)
    }

    @Test("pauses grow for a server that accepts sockets and drops them at once")
    func flapping() {
        var policy = ReconnectPolicy()
        for _ in 0..<10 {
            policy.lost(after: .seconds(1))
            _ = policy.pause(isPassing: true, random: 0.5)
        }
        #expect(policy.pause(isPassing: true, random: 0.5) > .seconds(7))
        policy.lost(after: .seconds(60))
        #expect(policy.pause(isPassing: true, random: 0.5) < .seconds(2))
    }

    @Test("the pause is limited after any number of failures")
    func often() {
        var policy = ReconnectPolicy()
        for _ in 0..<200 { #expect(policy.pause(isPassing: true, random: 0.9) <= .seconds(15)) }
    }
}
