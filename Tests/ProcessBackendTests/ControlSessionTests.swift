import BackendKit
import BackendKitTesting
import TestSupport
import Testing

@testable import ProcessBackend

struct ControlSessionTests {
    private func admitted() -> ControlSession {
        var session = ControlSession()
        #expect(session.handle(.received(Array("t0ken\n".utf8))) == [.authenticate("t0ken")])
        #expect(session.handle(.admitted) == [])
        return session
    }

    private func receipt(_ json: String) -> [UInt8] {
        let payload = Array(json.utf8)
        return [1, 0, 0, UInt8(payload.count >> 8), UInt8(payload.count & 255)] + payload
    }

    private let hello: [UInt8] = [0, 0x50, 0x46, 2, 1]
    private let reported =
        #"{"disposition":"STATE_REPORTED","state_id":"00000000-0000-4000-8000-000000000003","state_name":"Done","state_type":"COMPLETED"}"#

    @Test("a negotiated receipt is acknowledged, whether it arrives byte by byte or all at once")
    func receipts() {
        for step in [1, 7, 4096] {
            var session = ControlSession()
            var actions: [ControlSession.Action] = []
            let bytes = Array("t\n".utf8) + hello + receipt(reported)
            for start in stride(from: 0, to: bytes.count, by: step) {
                let new = session.handle(.received(Array(bytes[start..<min(start + step, bytes.count)])))
                actions += new
                if new.contains(.authenticate("t")) { actions += session.handle(.admitted) }
            }
            let conclusion = ControlSession.Conclusion.stateReported(type: "COMPLETED", name: "Done")
            #expect(
                actions == [
                    .authenticate("t"), .send([0, 0x50, 0x46, 2, 1]), .conclude(conclusion), .send([2]),
                ])
            #expect(session.conclusion == conclusion)
        }
    }

    @Test("an older process is answered in the older protocol, and its receipt is not accepted")
    func oldProtocol() {
        var session = admitted()
        #expect(session.handle(.received([0, 0x50, 0x46, 1, 0])) == [.send([0, 0x50, 0x46, 1, 0])])
        #expect(session.handle(.received(receipt(reported))) == [.close])
    }

    @Test("an acknowledged cancellation is the only conclusion")
    func cancellation() {
        var session = admitted()
        _ = session.handle(.received(hello))
        #expect(session.handle(.cancelRequested) == [.send([0x63])])
        #expect(session.handle(.cancelRequested) == [])
        #expect(session.handle(.received([0x61])) == [.conclude(.cancelAcknowledged)])
        #expect(session.handle(.received(receipt(reported))) == [])
        #expect(session.handle(.cancelRequested) == [.cancelUnanswered])
        #expect(session.handle(.closed) == [])
    }

    @Test("a receipt that crosses a cancel request is the conclusion, and the request is reported as unanswered")
    func crossing() {
        var session = admitted()
        _ = session.handle(.received(hello))
        _ = session.handle(.cancelRequested)
        #expect(
            session.handle(.received(receipt(#"{"disposition":"ORCHESTRATION_ABORTED"}"#))) == [
                .conclude(.abortedByAPI), .send([2]), .cancelUnanswered,
            ])
        #expect(session.handle(.received([0x61])) == [])
        #expect(session.conclusion == .abortedByAPI)
    }

    @Test("a cancel request is reported as unanswered when the connection ends or times out", arguments: [false, true])
    func noAnswer(isTimeout: Bool) {
        var session = admitted()
        _ = session.handle(.cancelRequested)
        #expect(
            session.handle(isTimeout ? .timedOut : .closed)
                == (isTimeout ? [.cancelUnanswered, .close] : [.cancelUnanswered]))
        #expect(session.conclusion == nil)
    }

    @Test(
        "malformed data closes the connection without a conclusion",
        arguments: [
            [0x61], [0x7A], [0, 0, 0, 0, 0], [0, 0x50, 0x46, 2, 1, 1, 0, 0, 0x10, 0x01],
            [0, 0x50, 0x46, 2, 1, 1, 0, 0, 0, 2, 0x7B, 0x7D],
        ] as [[UInt8]])
    func malformed(bytes: [UInt8]) {
        var session = admitted()
        #expect(session.handle(.received(bytes)).last == .close)
        #expect(session.conclusion == nil)
        #expect(session.handle(.received(hello)) == [])
    }

    @Test(
        "a receipt must have exactly its fields",
        arguments: [
            #"{"disposition":"ORCHESTRATION_ABORTED","x":1}"#, #"{"disposition":"OTHER"}"#, "[]", "nonsense",
            #"{"disposition":"STATE_REPORTED","state_id":"1","state_name":"a","state_type":"b"}"#,
            #"{"disposition":"STATE_REPORTED","state_id":"00000000-0000-4000-8000-000000000003","state_name":"a","state_type":""}"#,
        ])
    func badReceipts(json: String) {
        var session = admitted()
        _ = session.handle(.received(hello))
        #expect(session.handle(.received(receipt(json))) == [.close])
    }

    @Test("an unauthenticated connection can make the worker buffer only a limited number of bytes")
    func bounds() {
        var session = ControlSession()
        #expect(session.handle(.received([UInt8](repeating: 65, count: 200))) == [.close])
        var waiting = ControlSession()
        _ = waiting.handle(.received(Array("t\n".utf8)))
        #expect(waiting.handle(.received([UInt8](repeating: 65, count: 5000))) == [.close])
        #expect(session.handle(.admitted) == [])
    }

    @Test("a connection without a valid token is dropped")
    func strangers() async throws {
        let loop = try #require(EventLoop.started(name: "test"))
        let supervisor = ProcessSupervisor(
            loop: loop, outputPump: nil, errorPump: nil, controlPatience: .milliseconds(30))
        let port = try #require(await supervisor.makeControlToken()).port
        let bench = try Workbench()
        let status = try await bench.run(
            bench.python(
                """
                import socket
                silent = socket.create_connection(("127.0.0.1", \(port)))
                wrong = socket.create_connection(("127.0.0.1", \(port)))
                wrong.sendall(b"0123456789abcdef\\n")
                def last(link):
                    # Dropped with a byte unread, a connection is reset.
                    try:
                        return link.recv(1)
                    except ConnectionResetError:
                        return b""
                print(last(wrong), last(silent))
                """))
        #expect(status.code == 0)
        try await eventually("both connections are closed") { bench.output.text == "b'' b''\n" }
        loop.stop()
    }
}
