import JSON
import Testing

@testable import PrefectAPI

@Suite("What passes over an event socket before events do")
struct EventHandshakeTests {
    @Test("a server is pinged, and then told the token, before events go to it")
    func server() {
        var handshake = EventHandshake(authenticates: true, token: "user:secret")
        #expect(handshake.handle(.opened) == [.ping])
        #expect(handshake.handle(.ponged) == [.send(#"{"type":"auth","token":"user:secret"}"#), .receive])
        #expect(handshake.handle(.message(#"{"type":"auth_success"}"#)) == [.finish])
    }

    @Test("that there is no token is said too")
    func noToken() {
        var handshake = EventHandshake(authenticates: true, token: nil)
        _ = handshake.handle(.opened)
        #expect(handshake.handle(.ponged) == [.send(#"{"type":"auth","token":null}"#), .receive])
    }

    @Test("where the handshake of HTTP has authenticated, the ping is all")
    func cloud() {
        var handshake = EventHandshake(authenticates: false, token: "key")
        #expect(handshake.handle(.opened) == [.ping])
        #expect(handshake.handle(.ponged) == [.finish])
    }

    @Test("the filter goes last, and a ping tells that the server has it")
    func filter() {
        var handshake = EventHandshake(authenticates: true, token: nil, filter: ["type": "filter"])
        _ = handshake.handle(.opened)
        _ = handshake.handle(.ponged)
        #expect(handshake.handle(.message(#"{"type": "auth_success"}"#)) == [.send(#"{"type":"filter"}"#), .ping])
        #expect(handshake.handle(.ponged) == [.finish])
    }

    @Test(
        "any other answer to the authentication is its end",
        arguments: [#"{"type":"auth_failed"}"#, "[]", "", "no JSON"])
    func refused(answer: String) {
        var handshake = EventHandshake(authenticates: true, token: nil)
        _ = handshake.handle(.opened)
        _ = handshake.handle(.ponged)
        #expect(
            handshake.handle(.message(answer))
                == [.fail("the server did not answer the authentication with success: \(answer)")])
        #expect(handshake.handle(.message(#"{"type":"auth_success"}"#)) == [])
    }

    @Test("what comes out of turn changes nothing")
    func outOfTurn() {
        var handshake = EventHandshake(authenticates: true, token: nil)
        #expect(handshake.handle(.message(#"{"type":"auth_success"}"#)) == [])
        #expect(handshake.handle(.ponged) == [])
        #expect(handshake.handle(.opened) == [.ping])
        #expect(handshake.handle(.opened) == [])
    }
}
