public import PrefectJSON

/// A fault: the treatment of a request instead of its true answer.
public indirect enum Fault: Sendable {
    /// No fault: the true answer.
    case pass
    /// A different answer; the request has no effect.
    case status(Int, headers: [(name: String, value: String)] = [], body: JSONValue? = nil)
    /// The request takes effect and its answer is lost: the given fault replaces it.
    case applyThen(Fault)
    /// The connection is closed without an answer.
    case closeConnection
    /// The connection is reset (RST) without an answer.
    case reset
    /// The server ends its side of the connection without an answer and keeps the other side open.
    case halfClose
    /// The given fault happens after a delay.
    case delay(Duration, then: Fault = .pass)
    /// The given fault happens after the gate has been opened.
    case hold(Gate, then: Fault = .pass)
    /// The true answer, with its body in pieces of `chunk` bytes and a pause between them.
    case slowBody(chunk: Int, every: Duration)
    /// Bytes that are not HTTP, followed by the end of the connection.
    case garbage([UInt8] = Array("\u{16}\u{3}\u{1} this is no HTTP\r\n\r\n".utf8))
    /// The true answer with half its body, followed by the end of the connection.
    case truncatedBody
    /// No answer until the server stops.
    case hang
    /// The given bytes; the connection stays open.
    case raw([UInt8])
    /// The true answer with a changed body.
    case replaceBody(@Sendable (JSONValue) -> JSONValue)

    /// A 429 with `Retry-After`.
    public static func tooManyRequests(retryAfter seconds: Int) -> Fault {
        .status(429, headers: [(name: "Retry-After", value: String(seconds))], body: ["detail": "Too many requests."])
    }

    /// The 503 of a server with a locked database.
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
