internal import PrefectJSON

/// The exchange on an event socket before events may pass. A value without I/O: it takes inputs and returns the next
/// actions.
///
/// A self-hosted server is pinged first. The client then authenticates with a message, which the server answers.
/// Prefect Cloud's `/events/in` authenticates the HTTP handshake and needs only the ping. The filter, which opens the
/// stream of `/events/out`, is sent last. The server does not answer the filter, so a second ping confirms it.
struct EventHandshake: Sendable, Hashable {
    /// An input: something that happened on the socket.
    enum Input: Sendable, Hashable {
        /// The socket is open.
        case opened
        /// The server answered the ping.
        case ponged
        /// A text message arrived.
        case message(String)
    }

    /// A step for the caller.
    enum Action: Sendable, Hashable {
        /// Send a ping and wait for its answer.
        case ping
        /// Send a message.
        case send(String)
        /// Wait for a message.
        case receive
        /// The handshake is complete: events may pass.
        case finish
        /// Give up, for this reason.
        case fail(String)
    }

    private enum Phase: Hashable {
        case opening
        case pinging
        case authenticating
        case confirming
        case over
    }

    /// The message that authenticates; `nil` where the client sends none.
    private let authentication: String?
    /// The message that opens the stream; `nil` where the client sends none.
    private let filter: String?
    private var phase = Phase.opening

    /// Creates a handshake. With `authenticates`, it sends a message with the token, or with `null` if there is no
    /// token.
    init(authenticates: Bool, token: String?, filter: JSONValue? = nil) {
        let message: JSONValue = ["type": "auth", "token": JSONValue(token)]
        authentication = authenticates ? message.serialized() : nil
        self.filter = filter?.serialized()
    }

    /// Processes an input. The caller performs the returned actions in order.
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
                return [.fail("the server did not confirm the authentication: \(text.explanation)")]
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
