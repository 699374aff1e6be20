/// Why a WebSocket could not be opened, or why it is over.
public struct WebSocketError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// No connection came about: name, TCP, TLS, proxy, deadline, or what came back is not HTTP.
        case notConnected(TransportError)
        /// The server answered the handshake with something else than a WebSocket.
        case refused(WebSocketRefusal)
        /// The server agreed, but not to what was asked: its handshake is wrong, or it takes none of the subprotocols.
        case handshake(String)
        /// Orderly, by the server or in answer to `close`. The code is `noStatus` when the server gave none.
        case closed(code: WebSocket.CloseCode, reason: String)
        /// Closed from here, with this code, because the server broke the protocol or a limit.
        case violation(code: WebSocket.CloseCode, cause: String)
        /// The connection broke, or the server is silent.
        case lost(String)
        /// What was to be sent cannot be; the WebSocket stays as it is.
        case invalidMessage(String)
        /// The calling task was cancelled, or the WebSocket let go.
        case cancelled
        /// The transport was shut down.
        case shutDown
    }

    public let kind: Kind
    /// The URL without user, password and query; empty when it is not a WebSocket's URL.
    public let url: String

    public init(kind: Kind, url: String) {
        self.kind = kind
        self.url = url
    }

    /// What errors call a WebSocket; one without a URL that can be read has no name.
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
        case .shutDown: TransferHandle.shutDownCause
        }
    }

    /// One line: URL, cause and, where there is one, remedy.
    public var description: String {
        "\(Self.subject(url)): \(cause)".split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}

/// An answer to the handshake that is not 101.
public struct WebSocketRefusal: Sendable, Hashable {
    public let status: Int
    public let headers: HTTPHeaders
    /// The beginning of the body, at most 4096 bytes.
    public let body: [UInt8]

    public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
