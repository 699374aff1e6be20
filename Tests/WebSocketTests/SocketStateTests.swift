import Testing
import TransportPeers

@testable import PrefectWebSocket

@Suite("The state of a WebSocket") struct SocketStateTests {
    private let start = ContinuousClock.now

    private func state(interval: Duration? = .seconds(20), pong: Duration = .seconds(5)) -> SocketState {
        let limits = SocketState.Limits(
            maximumMessageBytes: 100, pingInterval: interval, pongTimeout: pong, closeTimeout: .seconds(3))
        return SocketState(limits, openedAt: start)
    }

    private func after(_ seconds: Double) -> ContinuousClock.Instant {
        start.advanced(by: .seconds(seconds))
    }

    private let firstPing: [UInt8] = [0, 0, 0, 1]

    @Test("messages are delivered and pings are answered in order of arrival")
    func messages() {
        var state = state()
        let bytes = serverFrame(1, [0x61]) + serverFrame(9, [7]) + serverFrame(2, [1])
        #expect(
            state.handle(.received(bytes), at: start) == [
                .deliver(.text("a")), .writePong([7]), .deliver(.binary([1])),
            ])
    }

    @Test("a ping is sent after each interval, and its pong starts the next interval")
    func interval() {
        var state = state()
        #expect(state.nextDeadline == after(20))
        #expect(state.handle(.clock, at: after(19)) == [])
        #expect(state.handle(.clock, at: after(20)) == [.writePing(firstPing)])
        #expect(state.nextDeadline == after(25))
        #expect(state.handle(.received(serverFrame(10, firstPing)), at: after(22)) == [])
        #expect(state.nextDeadline == after(42))
        #expect(state.handle(.clock, at: after(42)) == [.writePing([0, 0, 0, 2])])
    }

    @Test("without a matching pong in time, the connection is lost")
    func lost() {
        var state = state()
        _ = state.handle(.clock, at: after(20))
        _ = state.handle(.received(serverFrame(10, [9, 9])), at: after(21))
        #expect(state.nextDeadline == after(26))
        let actions = state.handle(.clock, at: after(26))
        #expect(actions == [.end(.lost("the server did not answer a ping within 5 s")), .drop])
        #expect(!state.isOpen)
        #expect(state.nextDeadline == nil)
    }

    @Test("traffic in either direction extends the deadline for a pong")
    func activity() {
        var state = state()
        _ = state.handle(.clock, at: after(20))
        _ = state.handle(.progress, at: after(24))
        #expect(state.nextDeadline == after(29))
        _ = state.handle(.received([0x82]), at: after(28))
        #expect(state.nextDeadline == after(33))
        #expect(state.handle(.clock, at: after(33)).last == .drop)
    }

    @Test("while messages wait for their reader, no ping is sent and no pong deadline expires")
    func heldBack() {
        var state = state()
        _ = state.handle(.clock, at: after(20))
        _ = state.handle(.heldBack, at: after(21))
        #expect(state.nextDeadline == nil)
        #expect(state.handle(.clock, at: after(1000)) == [])
        _ = state.handle(.released, at: after(1000))
        #expect(state.nextDeadline == after(1005))
    }

    @Test("an explicit ping is answered by its own pong or by the pong of a later ping")
    func userPings() {
        var state = state(interval: nil)
        #expect(state.nextDeadline == nil)
        #expect(state.handle(.ping(ticket: 8), at: start) == [.writePing(firstPing)])
        #expect(state.handle(.ping(ticket: 9), at: start) == [.writePing([0, 0, 0, 2])])
        #expect(state.handle(.ping(ticket: 10), at: start) == [.writePing([0, 0, 0, 3])])
        #expect(state.nextDeadline == after(5))
        #expect(
            state.handle(.received(serverFrame(10, [0, 0, 0, 2])), at: start)
                == [.answered(ticket: 8), .answered(ticket: 9)])
        #expect(state.handle(.received(serverFrame(10, [0, 0, 0, 2])), at: start) == [])
        #expect(state.handle(.received(serverFrame(10, [0, 0, 0, 3])), at: start) == [.answered(ticket: 10)])
        #expect(state.nextDeadline == nil)
    }

    @Test("the server's close is answered with its code, and the server gets time to end the connection")
    func closedByServer() {
        var state = state()
        let close = serverFrame(8, [0x0f, 0xa1] + Array("bye".utf8))
        #expect(
            state.handle(.received(serverFrame(1) + close + serverFrame(1)), at: after(1)) == [
                .deliver(.text("")), .writeClose([0x0f, 0xa1]),
                .end(.closed(code: .init(rawValue: 4001), reason: "bye")),
            ])
        #expect(state.handle(.received(serverFrame(1)), at: after(1)) == [])
        #expect(state.handle(.ping(ticket: 1), at: after(1)) == [])
        #expect(state.handle(.close(.normal, reason: ""), at: after(1)) == [])
        #expect(state.nextDeadline == after(3))
        var patient = state
        #expect(state.handle(.endOfStream, at: after(2)) == [.drop])
        #expect(patient.handle(.clock, at: after(3)) == [.drop])
    }

    @Test("a close frame without a code is answered without a code")
    func closedWithoutCode() {
        var state = state()
        #expect(
            state.handle(.received(serverFrame(8)), at: start)
                == [.writeClose([]), .end(.closed(code: .noStatus, reason: ""))])
    }

    @Test("a local close waits for the server's close, and meanwhile drops messages and answers pings")
    func closedFromHere() {
        var state = state()
        #expect(
            state.handle(.close(.goingAway, reason: "x"), at: start) == [.writeClose([0x03, 0xe9, 0x78])])
        #expect(state.handle(.close(.normal, reason: ""), at: start) == [])
        #expect(state.nextDeadline == after(3))
        #expect(state.handle(.received(serverFrame(1) + serverFrame(9)), at: after(1)) == [.writePong([])])
        #expect(
            state.handle(.received(serverFrame(8, [0x03, 0xe9])), at: after(1))
                == [.end(.closed(code: .goingAway, reason: ""))])
        #expect(state.handle(.endOfStream, at: after(1)) == [.drop])
        #expect(state.nextDeadline == nil)
    }

    @Test("a close that the server does not answer ends as lost after the close timeout")
    func closeUnanswered() {
        var state = state()
        _ = state.handle(.close(.normal, reason: ""), at: start)
        #expect(
            state.handle(.clock, at: after(3))
                == [.end(.lost("the server did not answer the close within 3 s")), .drop])
    }

    @Test("a violation is reported to the server and to the user, and ends the WebSocket")
    func violation() {
        var state = state()
        let actions = state.handle(.received([0x82, 101]), at: start)
        let cause = "a message is larger than 100 bytes"
        #expect(
            actions == [
                .writeClose([0x03, 0xf1] + Array(cause.utf8)), .end(.violation(code: .messageTooBig, cause: cause)),
            ])
        #expect(state.handle(.clock, at: after(2)) == [.drop])
    }

    @Test("an end of the connection without a close frame counts as lost")
    func endOfStream() {
        var open = state()
        #expect(open.handle(.endOfStream, at: start).last == .drop)
        var closing = state()
        _ = closing.handle(.close(.normal, reason: ""), at: start)
        guard case .end(.lost) = closing.handle(.endOfStream, at: start).first else {
            Issue.record("it was not lost")
            return
        }
        #expect(closing.handle(.endOfStream, at: start) == [])
    }
}
