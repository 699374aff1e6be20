import PrefectJSON
import Testing

@testable import PrefectClient

@Suite("Event socket handshake")
struct EventHandshakeTests {
    @Test("the client pings a server and sends the token before any event")
    func server() {
        var handshake = EventHandshake(authenticates: true, token: "user:secret")
        #expect(handshake.handle(.opened) == [.ping])
        #expect(handshake.handle(.ponged) == [.send(#"{"type":"auth","token":"user:secret"}"#), .receive])
        #expect(handshake.handle(.message(#"{"type":"auth_success"}"#)) == [.finish])
    }

    @Test("a client without a token sends a null token")
    func noToken() {
        var handshake = EventHandshake(authenticates: true, token: nil)
        _ = handshake.handle(.opened)
        #expect(handshake.handle(.ponged) == [.send(#"{"type":"auth","token":null}"#), .receive])
    }

    @Test("a client that authenticates with the HTTP handshake only sends a ping")
    func cloud() {
        var handshake = EventHandshake(authenticates: false, token: "key")
        #expect(handshake.handle(.opened) == [.ping])
        #expect(handshake.handle(.ponged) == [.finish])
    }

    @Test("the filter is sent last, and a ping confirms that the server has it")
    func filter() {
        var handshake = EventHandshake(authenticates: true, token: nil, filter: ["type": "filter"])
        _ = handshake.handle(.opened)
        _ = handshake.handle(.ponged)
        #expect(handshake.handle(.message(#"{"type": "auth_success"}"#)) == [.send(#"{"type":"filter"}"#), .ping])
        #expect(handshake.handle(.ponged) == [.finish])
    }

    @Test(
        "any other answer to the authentication fails the handshake",
        arguments: [#"{"type":"auth_failed"}"#, "[]", "", "no JSON"])
    func refused(answer: String) {
        var handshake = EventHandshake(authenticates: true, token: nil)
        _ = handshake.handle(.opened)
        _ = handshake.handle(.ponged)
        #expect(
            handshake.handle(.message(answer))
                == [.fail("the server did not confirm the authentication: \(answer)")])
        #expect(handshake.handle(.message(#"{"type":"auth_success"}"#)) == [])
    }

    @Test("an event out of turn does not change the handshake")
    func outOfTurn() {
        var handshake = EventHandshake(authenticates: true, token: nil)
        #expect(handshake.handle(.message(#"{"type":"auth_success"}"#)) == [])
        #expect(handshake.handle(.ponged) == [])
        #expect(handshake.handle(.opened) == [.ping])
        #expect(handshake.handle(.opened) == [])
    }
}
