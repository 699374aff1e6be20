/// The reason why a request, or the reading of its response, failed. An HTTP status is never an error here.
package struct TransportError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The host name has no address.
        case couldNotResolve
        /// The server refused the connection, or is not reachable.
        case couldNotConnect
        /// The connection was not ready within `Deadlines.connect`.
        case connectTimeout
        /// No byte of the response arrived within `Deadlines.firstByte`.
        case firstByteTimeout
        /// The response stopped for longer than `Deadlines.idle`.
        case idleTimeout
        /// `Deadlines.whole` passed.
        case wholeTimeout
        /// The TLS handshake or a certificate check failed, on either side.
        case tls
        /// The connection broke while the request was being sent.
        case sendFailed
        /// The connection broke before the response was complete.
        case receiveFailed
        /// The server did not send an HTTP response, or the response violates the protocol.
        case protocolViolation
        /// The body is larger than the caller allows.
        case tooLarge
        /// The proxy cannot be used, or it refused the request.
        case proxy
        /// The request cannot be sent as it is. No part of it was sent.
        case invalidRequest
        /// The transport was shut down.
        case shutDown
        /// The calling task or the body was cancelled.
        case cancelled
    }

    package let kind: Kind
    /// The method and the URL, without user, password and query.
    package let operation: String
    /// The cause of the failure, in one line.
    package let cause: String
    /// False when it is certain that no part of the request reached the server. Then even a request with side effects
    /// may be sent again.
    package let requestMayHaveBeenSent: Bool

    package init(kind: Kind, operation: String, cause: String, requestMayHaveBeenSent: Bool) {
        self.kind = kind
        self.operation = operation
        self.cause = cause.split(whereSeparator: \.isNewline).joined(separator: " ")
        self.requestMayHaveBeenSent = requestMayHaveBeenSent
    }

    /// The cause of an error of kind `shutDown`.
    package static let shutDownCause = "the transport was shut down"

    /// The action that can help the user, if there is one.
    package var remedy: String? {
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
    package var description: String {
        let line = "\(operation): \(cause)"
        return remedy.map { "\(line); \($0)" } ?? line
    }
}
