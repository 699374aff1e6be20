internal import JSON

/// What passes over one of the event sockets before events do. A value without I/O: it is told what happened, and says
/// what to do next.
///
/// A server of one's own is pinged first, then authenticated to with a message, which it answers. Prefect Cloud's
/// `/events/in` has authenticated the handshake of HTTP and needs only the ping. What opens the stream, `/events/out`'s
/// filter, goes last and is confirmed by a ping of its own, since the server does not answer it.
struct EventHandshake: Sendable, Hashable {
    /// What happened.
    enum Input: Sendable, Hashable {
        /// The socket is open.
        case opened
        /// The ping was answered.
        case ponged
        /// A text message came.
        case message(String)
    }

    /// What to do next.
    enum Action: Sendable, Hashable {
        /// Send a ping and wait for its answer.
        case ping
        /// Send a message.
        case send(String)
        /// Wait for a message.
        case receive
        /// Nothing more: events may pass.
        case finish
        /// Give up.
        case fail(String)
    }

    private enum Phase: Hashable {
        case opening
        case pinging
        case authenticating
        case confirming
        case over
    }

    /// The message that authenticates; `nil` where none is sent.
    private let authentication: String?
    /// The message that opens the stream; `nil` where none is sent.
    private let filter: String?
    private var phase = Phase.opening

    /// A handshake. With `authenticates`, the token, or that there is none, is sent as a message.
    init(authenticates: Bool, token: String?, filter: JSONValue? = nil) {
        let message: JSONValue = ["type": "auth", "token": JSONValue(token)]
        authentication = authenticates ? message.serialized() : nil
        self.filter = filter?.serialized()
    }

    /// Takes what happened; the actions are done in their order.
    mutating func handle(_ input: Input) -> [Action] {
        switch (phase, input) {
        case (.opening, .opened):
            phase = .pinging
            return [.ping]
        case (.pinging, .ponged):
            guard let authentication else { return begin() }
            phase = .authenticating
            return [.send(authentication), .receive]
        case (.authenticating, .message(let text)):
            guard let answer = try? JSONValue(parsing: Array(text.utf8)), answer["type"] == "auth_success" else {
                phase = .over
                return [.fail("the server did not answer the authentication with success: \(text.explanation)")]
            }
            return begin()
        case (.confirming, .ponged):
            phase = .over
            return [.finish]
        default:
            return []
        }
    }

    private mutating func begin() -> [Action] {
        guard let filter else {
            phase = .over
            return [.finish]
        }
        phase = .confirming
        return [.send(filter), .ping]
    }
}
