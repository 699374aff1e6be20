/// Why a request, or the reading of its answer, ended without success. An HTTP status is never an error here.
public struct TransportError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The host name has no address.
        case couldNotResolve
        /// The server refused the connection, or is not reachable.
        case couldNotConnect
        /// The connection was not ready within `Deadlines.connect`.
        case connectTimeout
        /// No byte of the answer came within `Deadlines.firstByte`.
        case firstByteTimeout
        /// The answer stopped for longer than `Deadlines.idle`.
        case idleTimeout
        /// `Deadlines.whole` passed.
        case wholeTimeout
        /// The TLS handshake or a certificate check failed, on either side.
        case tls
        /// The connection broke while the request was being sent.
        case sendFailed
        /// The connection broke before the answer was complete.
        case receiveFailed
        /// What came back is not an HTTP answer, or breaks its rules.
        case protocolViolation
        /// The body is larger than the caller allows.
        case tooLarge
        /// The proxy cannot be used, or refused.
        case proxy
        /// The request cannot be sent as it is; nothing was.
        case invalidRequest
        /// The transport was shut down.
        case shutDown
        /// The calling task was cancelled, or the body.
        case cancelled
    }

    public let kind: Kind
    /// The method and the URL, without user, password and query.
    public let operation: String
    /// What went wrong, in one line.
    public let cause: String
    /// False when it is certain that no part of the request reached the server, so that even a request with
    /// effects may be sent again.
    public let requestMayHaveBeenSent: Bool

    public init(kind: Kind, operation: String, cause: String, requestMayHaveBeenSent: Bool) {
        self.kind = kind
        self.operation = operation
        self.cause = cause.split(whereSeparator: \.isNewline).joined(separator: " ")
        self.requestMayHaveBeenSent = requestMayHaveBeenSent
    }

    /// What the user can do about it, where there is something.
    public var remedy: String? {
        switch kind {
        case .couldNotResolve: "check the host name and this machine's DNS"
        case .couldNotConnect: "check that the server is running and reachable from this machine"
        case .connectTimeout: "check the address, firewalls and proxy settings"
        case .tls: "check the CA certificates, the server's certificate and its name, and the client certificate"
        case .proxy: "check http_proxy, https_proxy, all_proxy and no_proxy"
        case .firstByteTimeout, .idleTimeout, .wholeTimeout, .sendFailed, .receiveFailed, .protocolViolation,
            .tooLarge, .invalidRequest, .shutDown, .cancelled:
            nil
        }
    }

    /// One line: operation, cause and remedy.
    public var description: String {
        let line = "\(operation): \(cause)"
        return remedy.map { "\(line); \($0)" } ?? line
    }
}
