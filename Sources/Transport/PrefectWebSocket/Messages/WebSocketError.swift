package import HTTPTransport

/// The reason why a WebSocket could not be opened, or why it ended.
package struct WebSocketError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// No connection was made because of the name, TCP, TLS, the proxy or a deadline, or because the response is
        /// not HTTP.
        case notConnected(TransportError)
        /// The server answered the handshake with something other than a WebSocket.
        case refused(WebSocketRefusal)
        /// The server agreed, but not to the request: its handshake is wrong, or it accepts none of the subprotocols.
        case handshake(String)
        /// An orderly close by the server, or in answer to `close`. The code is `noStatus` when the server gave none.
        case closed(code: WebSocketCloseCode, reason: String)
        /// This side closed with this code, because the server violated the protocol or a limit.
        case violation(code: WebSocketCloseCode, cause: String)
        /// The connection broke, or the server does not respond.
        case lost(String)
        /// The message cannot be sent. The WebSocket stays unchanged.
        case invalidMessage(String)
        /// The calling task was cancelled, or the WebSocket was released.
        case cancelled
        /// The transport was shut down.
        case shutDown
    }

    package let kind: Kind
    /// The URL without user, password and query; empty when the given URL is not a WebSocket URL.
    package let url: String

    package init(kind: Kind, url: String) {
        self.kind = kind
        self.url = url
    }

    /// The name of a WebSocket in errors; only "WebSocket" when its URL cannot be parsed.
    static func subject(_ url: String) -> String {
        url.isEmpty ? "WebSocket" : "WebSocket \(url)"
    }

    private var cause: String {
        switch kind {
        case .notConnected(let error): error.remedy.map { "\(error.cause); \($0)" } ?? error.cause
        case .refused(let refusal): "the server refuses the WebSocket with status \(refusal.status)"
        case .handshake(let cause): cause
        case .closed(.noStatus, _): "closed without a code"
        case .closed(let code, let reason): "closed with code \(code)" + (reason.isEmpty ? "" : ": \(reason)")
        case .violation(let code, let cause): "\(cause), so it was closed with code \(code)"
        case .lost(let cause), .invalidMessage(let cause): cause
        case .cancelled: "cancelled"
        case .shutDown: TransportError.shutDownCause
        }
    }

    /// One line: URL, cause and, where there is one, remedy.
    package var description: String {
        "\(Self.subject(url)): \(cause)".split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}

/// A response to the handshake with a status other than 101.
package struct WebSocketRefusal: Sendable, Hashable {
    package let status: Int
    package let headers: HTTPHeaders
    /// The beginning of the body, at most 4096 bytes.
    package let body: [UInt8]

    package init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
