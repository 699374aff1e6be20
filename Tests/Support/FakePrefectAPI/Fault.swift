public import JSON

/// What happens to a request instead of the answer it should get.
public indirect enum Fault: Sendable {
    /// Nothing: the true answer.
    case pass
    /// Another answer; the request has no effect.
    case status(Int, headers: [(name: String, value: String)] = [], body: JSONValue? = nil)
    /// The request takes effect and its answer is lost: what is given here happens in its place.
    case applyThen(Fault)
    /// The connection is closed without an answer.
    case closeConnection
    /// The connection is reset (RST) without an answer.
    case reset
    /// The server ends its side of the connection without an answer and leaves the other side open.
    case halfClose
    /// What is given happens later.
    case delay(Duration, then: Fault = .pass)
    /// What is given happens once the gate is opened.
    case hold(Gate, then: Fault = .pass)
    /// The true answer, its body in pieces of some bytes with a pause between them.
    case slowBody(chunk: Int, every: Duration)
    /// Bytes that are no HTTP, then the connection is closed.
    case garbage([UInt8] = Array("\u{16}\u{3}\u{1} this is no HTTP\r\n\r\n".utf8))
    /// The true answer with half its body, then the connection is closed.
    case truncatedBody
    /// No answer at all until the server stops.
    case hang
    /// Bytes as they are; the connection stays open.
    case raw([UInt8])
    /// The true answer with another body.
    case replaceBody(@Sendable (JSONValue) -> JSONValue)

    /// A 429 with `Retry-After`.
    public static func tooManyRequests(retryAfter seconds: Int) -> Fault {
        .status(429, headers: [(name: "Retry-After", value: String(seconds))], body: ["detail": "Too many requests."])
    }

    /// The 503 of a server whose database is locked.
    public static let databaseLocked = Fault.status(503, body: ["exception_message": "Service Unavailable"])

    /// Whether the request takes effect.
    var appliesRequest: Bool {
        switch self {
        case .pass, .applyThen, .slowBody, .truncatedBody, .replaceBody: true
        case .delay(_, let then), .hold(_, let then): then.appliesRequest
        case .status, .closeConnection, .reset, .halfClose, .garbage, .hang, .raw: false
        }
    }
}
