import Testing
import TransportPeers

@testable import HTTPTransport

@Suite("The state of a transfer") struct TransferStateTests {
    private let start = ContinuousClock.now
    private let head = HTTPResponse.Head(status: 200)

    private func state(
        connect: Duration? = .seconds(1), firstByte: Duration? = .seconds(2), idle: Duration? = .seconds(3),
        whole: Duration? = nil
    ) -> TransferState {
        TransferState(
            deadlines: Deadlines(connect: connect, firstByte: firstByte, idle: idle, whole: whole),
            wholeDeadline: whole.map { start.advanced(by: $0) }, startedAt: start)
    }

    private func after(_ seconds: Double) -> ContinuousClock.Instant {
        start.advanced(by: .seconds(seconds))
    }

    private func kind(_ actions: [TransferState.Action]) -> TransportError.Kind? {
        if case .fail(let kind, _) = actions.first { kind } else { nil }
    }

    @Test("a successful transfer goes from the connection to the head and the end")
    func success() {
        var state = state()
        #expect(state.handle(.connectionReady, at: after(0.1)) == [])
        #expect(state.handle(.received, at: after(0.2)) == [])
        #expect(state.handle(.head(head), at: after(0.2)) == [.deliver(head)])
        #expect(state.handle(.received, at: after(0.3)) == [])
        #expect(state.handle(.succeeded, at: after(0.4)) == [.complete])
        #expect(state.hasEnded)
        #expect(state.nextDeadline == nil)
    }

    @Test("each stage of a transfer has its own deadline and error kind")
    func deadlines() {
        var connecting = state()
        #expect(connecting.nextDeadline == after(1))
        #expect(connecting.handle(.clock, at: after(0.9)) == [])
        #expect(kind(connecting.handle(.clock, at: after(1))) == .connectTimeout)

        var waiting = state()
        _ = waiting.handle(.connectionReady, at: after(1))
        #expect(waiting.nextDeadline == after(3))
        #expect(kind(waiting.handle(.clock, at: after(3))) == .firstByteTimeout)

        var reading = state()
        _ = reading.handle(.connectionReady, at: after(1))
        _ = reading.handle(.head(head), at: after(2))
        #expect(reading.nextDeadline == after(5))
        #expect(kind(reading.handle(.clock, at: after(5))) == .idleTimeout)
    }

    @Test("progress does not extend the deadline for the whole transfer")
    func whole() {
        var state = state(whole: .seconds(4))
        _ = state.handle(.connectionReady, at: after(0.5))
        _ = state.handle(.head(head), at: after(1))
        _ = state.handle(.received, at: after(3.9))
        #expect(state.nextDeadline == after(4))
        #expect(kind(state.handle(.clock, at: after(4))) == .wholeTimeout)
    }

    @Test("the idle deadline does not run while the reader holds the transfer back")
    func heldBack() {
        var state = state()
        _ = state.handle(.connectionReady, at: after(0))
        _ = state.handle(.head(head), at: after(0))
        _ = state.handle(.heldBack, at: after(1))
        #expect(state.nextDeadline == nil)
        #expect(state.handle(.clock, at: after(1000)) == [])
        _ = state.handle(.released, at: after(1000))
        #expect(state.nextDeadline == after(1003))
    }

    @Test("upload progress restarts the first-byte deadline")
    func upload() {
        var state = state()
        _ = state.handle(.connectionReady, at: after(0))
        _ = state.handle(.uploaded(1000), at: after(1.5))
        #expect(state.nextDeadline == after(3.5))
        _ = state.handle(.uploaded(1000), at: after(3))
        #expect(kind(state.handle(.clock, at: after(3.5))) == .firstByteTimeout)
    }

    @Test("after a 1xx head, the first-byte deadline applies again")
    func interim() {
        var state = state()
        _ = state.handle(.connectionReady, at: after(0))
        _ = state.handle(.received, at: after(1))
        _ = state.handle(.interimHead, at: after(1))
        #expect(kind(state.handle(.clock, at: after(3))) == .firstByteTimeout)
    }

    @Test("a transfer without deadlines does not expire")
    func unlimited() {
        var state = state(connect: nil, firstByte: nil, idle: nil)
        #expect(state.nextDeadline == nil)
        _ = state.handle(.connectionReady, at: after(0))
        #expect(state.handle(.clock, at: after(1_000_000)) == [])
    }

    @Test("once the connection is ready, the request counts as possibly sent, even after a failure")
    func sent() {
        var state = state()
        #expect(!state.requestMayHaveBeenSent)
        _ = state.handle(.connectionReady, at: after(0))
        _ = state.handle(.failed(.couldNotConnect, "x"), at: after(1))
        #expect(state.requestMayHaveBeenSent)
    }

    @Test("a transfer that has ended ignores all further events")
    func ended() {
        var state = state()
        #expect(state.handle(.failed(.receiveFailed, "x"), at: after(0)) == [.fail(.receiveFailed, "x")])
        #expect(state.handle(.succeeded, at: after(0)) == [])
        #expect(state.handle(.head(head), at: after(0)) == [])
        #expect(state.handle(.clock, at: after(100)) == [])
    }

    @Test("a success without a head is a protocol violation")
    func headless() {
        var state = state()
        #expect(kind(state.handle(.succeeded, at: after(0))) == .protocolViolation)
    }

    @Test("durations are formatted in seconds and rounded up to milliseconds")
    func durations() {
        #expect(Duration.seconds(60).secondsText == "60 s")
        #expect(Duration.milliseconds(250).secondsText == "0.25 s")
        #expect(Duration.milliseconds(1005).secondsText == "1.005 s")
        #expect(Duration.nanoseconds(1).inMilliseconds == 1)
        #expect(Duration.milliseconds(7).inMilliseconds == 7)
        #expect(Duration.seconds(-1).inMilliseconds == 0)
        #expect(Duration.seconds(1_000_000_000_000).inMilliseconds == 2_000_000_000)
    }
}

@Suite("Parsing a response head") struct HeadParserTests {
    private func outcomes(_ lines: [String]) -> [HeadParser.Outcome] {
        var parser = HeadParser(url: "http://x/")
        return lines.map { parser.consume(Array(($0 + "\r\n").utf8)) }
    }

    @Test("the lines become a head with repeated, folded and empty fields")
    func head() {
        let last = outcomes([
            "HTTP/1.1 201 Created", "A: 1", "a:  2 ", "Folded: x", "  y", "Empty:", "",
        ]).last
        var headers: HTTPHeaders = ["A": "1", "a": "2"]
        headers.add("Folded", "x y")
        headers.add("Empty", "")
        #expect(last == .head(.init(status: 201, version: .http11, headers: headers, url: "http://x/")))
    }

    @Test("1xx heads are skipped, and lines after the final head are trailers")
    func interim() {
        let outcomes = outcomes(["HTTP/1.1 103 Early Hints", "Link: x", "", "HTTP/2 204", "", "Trailer: 1"])
        #expect(outcomes[2] == .interim)
        #expect(outcomes[4] == .head(.init(status: 204, version: .http2, url: "http://x/")))
        #expect(outcomes[5] == .trailer)
    }

    @Test(
        "lines that are not an HTTP head are malformed",
        arguments: [["SSH-2.0-x"], ["HTTP/1.1 abc"], ["HTTP/1.1 200 OK", "no colon"], ["HTTP/9 200"]])
    func malformed(_ lines: [String]) {
        guard case .malformed = outcomes(lines).last else {
            Issue.record("\(lines) was taken")
            return
        }
    }

    @Test("a head without end is malformed")
    func endless() {
        let line = "X: " + String(repeating: "y", count: 64 * 1024)
        guard case .malformed = outcomes(["HTTP/1.1 200 OK"] + Array(repeating: line, count: 5)).last else {
            Issue.record("it was taken")
            return
        }
    }
}
