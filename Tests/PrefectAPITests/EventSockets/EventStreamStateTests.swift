import Testing

@testable import PrefectAPI

@Suite("When an event socket is opened")
struct EventStreamStateTests {
    private let start = ContinuousClock.now

    @Test("it is opened for the first event, once, and kept")
    func lazily() {
        var state = EventStreamState()
        #expect(state.next(now: start) == .rest)
        #expect(state.want() == true)
        #expect(state.want() == false)
        #expect(state.next(now: start) == .open)
        #expect(state.next(now: start) == .rest)
        #expect(!state.isOpen)
        state.opened()
        #expect(state.isOpen)
        #expect(state.want() == false)
        #expect(state.next(now: start) == .rest)
    }

    @Test("one that was lost is opened again for a later event, not before a pause is over")
    func lost() {
        var state = EventStreamState()
        _ = state.want()
        _ = state.next(now: start)
        state.opened()
        state.ended(.passing, now: start, random: 0.5)
        #expect(!state.isOpen)
        #expect(state.next(now: start) == .rest)
        #expect(state.want() == true)
        guard case .pause(let pause) = state.next(now: start) else {
            Issue.record("there is no pause")
            return
        }
        #expect((.milliseconds(700)...(.milliseconds(1300))).contains(pause))
        #expect(state.next(now: start + .milliseconds(1300)) == .open)
    }

    @Test("an event that comes while the socket is being opened does not open another")
    func meanwhile() {
        var state = EventStreamState()
        _ = state.want()
        _ = state.next(now: start)
        #expect(state.want() == false)
        #expect(state.next(now: start) == .rest)
    }

    @Test("an event that comes when the socket has failed but not yet ended opens the next one")
    func failing() {
        var state = EventStreamState()
        _ = state.want()
        _ = state.next(now: start)
        state.opened()
        state.failed()
        #expect(!state.isOpen)
        #expect(state.want() == false)
        #expect(state.next(now: start) == .rest)
        state.ended(.passing, now: start, random: 0.5)
        #expect(state.next(now: start + .seconds(2)) == .open)
    }

    @Test("the pauses grow to a minute, until events have been confirmed")
    func growing() {
        var state = EventStreamState()
        var now = start
        var pauses: [Double] = []
        func open() {
            _ = state.want()
            var step = state.next(now: now)
            if case .pause(let pause) = step {
                pauses.append(pause / .seconds(1))
                now += pause
                step = state.next(now: now)
            }
            #expect(step == .open)
            state.opened()
        }
        for _ in 0..<10 {
            open()
            state.ended(.passing, now: now, random: 0.5)
        }
        for (pause, mean) in zip(pauses, [1.0, 2, 4, 8, 16, 32, 60, 60, 60]) {
            #expect((mean * 0.75...min(mean * 1.3, 60)).contains(pause))
        }
        open()
        state.confirmed()
        state.ended(.passing, now: now, random: 0.5)
        open()
        #expect(pauses.count == 11)
        #expect(pauses[10] <= 1.3)
    }
}

@Suite("How long an event socket is left alone")
struct ReconnectPolicyTests {
    @Test("where there is no such socket, five minutes")
    func noEndpoint() {
        var policy = ReconnectPolicy()
        for random in [0, 0.5, 0.999] {
            let pause = policy.pause(after: .noEndpoint, random: random)
            #expect((.seconds(225)...(.seconds(300))).contains(pause))
        }
    }

    @Test("workers that lose a server together do not come back together")
    func spread() {
        let pauses = [0.0, 0.2, 0.4, 0.6, 0.8].map { random in
            var policy = ReconnectPolicy()
            return policy.pause(after: .passing, random: random)
        }
        #expect(Set(pauses).count == 5)
    }

    @Test("a server that takes sockets and drops them at once is left alone for ever longer")
    func flapping() {
        var policy = ReconnectPolicy()
        for _ in 0..<10 {
            policy.lost(after: .seconds(1))
            _ = policy.pause(after: .passing, random: 0.5)
        }
        #expect(policy.pause(after: .passing, random: 0.5) > .seconds(40))
        policy.lost(after: .seconds(60))
        #expect(policy.pause(after: .passing, random: 0.5) < .seconds(2))
    }

    @Test("however often it fails, a pause can be told")
    func often() {
        var policy = ReconnectPolicy()
        for _ in 0..<200 { #expect(policy.pause(after: .passing, random: 0.9) <= .seconds(60)) }
    }
}
