import Testing

@testable import PrefectClient

@Suite("Opening of an event socket")
struct ReconnectMachineTests {
    private let start = ContinuousClock.now

    @Test("the socket is opened once, for the first event, and kept open")
    func lazily() {
        var state = ReconnectMachine()
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

    @Test("a lost socket is opened again after a pause")
    func lost() {
        var state = ReconnectMachine()
        _ = state.want()
        _ = state.next(now: start)
        state.opened()
        state.ended(.passing, now: start, random: 0.5)
        #expect(!state.isOpen)
        #expect(state.want() == false)
        guard case .pause(let pause) = state.next(now: start) else {
            Issue.record("there is no pause")
            return
        }
        #expect((.milliseconds(500)...(.milliseconds(1000))).contains(pause))
        #expect(state.next(now: start + .milliseconds(1300)) == .open)
    }

    @Test("an event that is added while the socket is being opened does not open another socket")
    func meanwhile() {
        var state = ReconnectMachine()
        _ = state.want()
        _ = state.next(now: start)
        #expect(state.want() == false)
        #expect(state.next(now: start) == .rest)
    }

    @Test("an event that is added after a socket failed and before it ended opens the next socket")
    func failing() {
        var state = ReconnectMachine()
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

    @Test("the pauses grow to 15 seconds until events are confirmed")
    func growing() {
        var state = ReconnectMachine()
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
        for (pause, mean) in zip(pauses, [1.0, 2, 4, 8, 15, 15, 15, 15, 15]) {
            #expect((mean / 2...mean).contains(pause))
        }
        open()
        state.confirmed()
        state.ended(.passing, now: now, random: 0.5)
        open()
        #expect(pauses.count == 11)
        #expect(pauses[10] <= 1)
    }
}
