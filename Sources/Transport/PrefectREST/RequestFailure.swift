package import HTTPTransport
internal import PrefectJSON

/// The reason why a request to a service failed.
///
/// A cancelled request has no failure: it throws `CancellationError`. The message comes from the service or from the
/// transport. It never contains a request's headers or body.
package struct RequestFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of failures.
    package enum Kind: Sendable, Hashable {
        /// The service answered with this status, which is no success.
        case status(Int)
        /// No complete answer arrived. The cause also distinguishes timeouts and answers that are too large.
        case transport(TransportError)
        /// The answer cannot be understood.
        case malformed
        /// The service reported a failure within an answer that began as a success.
        case reported
        /// The request was not sent, because it could not be signed.
        case notSigned
    }

    /// The kind of the failure.
    package let kind: Kind
    /// The requested operation.
    package var operation: String
    /// The reason that the service gave, or the cause in `message`.
    package var reason: ServiceReason
    /// The pause that the service requests before the next attempt.
    package var retryAfter: Duration?
    /// Whether the same request may succeed later without any change.
    package var isTransient: Bool
    /// Whether the service may have applied the request; false when it certainly has not.
    package var mayHaveBeenApplied: Bool

    /// The longest ``message``, in characters.
    static let longestMessage = 1000

    /// Creates a failure.
    ///
    /// - Parameters:
    ///   - reason: The reason of the service. Its message is reduced to one line of at most 1000 characters.
    ///   - mayHaveBeenApplied: Without it, only a status from 500 on counts as possibly applied.
    package init(
        _ kind: Kind, operation: String, reason: ServiceReason, mayHaveBeenApplied: Bool? = nil
    ) {
        self.kind = kind
        self.operation = operation
        self.reason = reason
        // The service may quote text from anywhere.
        let line = reason.message.split(whereSeparator: \.isNewline).joined(separator: " ")
        self.reason.message =
            line.count > Self.longestMessage ? "\(line.prefix(Self.longestMessage))…" : line
        retryAfter = reason.retryAfter
        let status = if case .status(let status) = kind { status } else { 0 }
        self.mayHaveBeenApplied = mayHaveBeenApplied ?? (status >= 500)
        isTransient = reason.isTransient ?? kind.isTransient
    }

    /// Creates a failure with a message.
    package init(_ kind: Kind, operation: String, message: String, mayHaveBeenApplied: Bool? = nil) {
        self.init(
            kind, operation: operation, reason: ServiceReason(message: message), mayHaveBeenApplied: mayHaveBeenApplied)
    }

    /// Creates the failure of a request that has no complete answer.
    package init(_ error: TransportError, operation: String) {
        self.init(
            .transport(error), operation: operation, message: error.cause,
            mayHaveBeenApplied: error.requestMayHaveBeenSent)
    }

    /// Creates the failure that an unsuccessful answer describes. Its `Retry-After` precedes a pause in `reason`.
    package init(_ answer: RESTAnswer, reason: ServiceReason) {
        self.init(.status(answer.status), operation: answer.operation, reason: reason)
        if let pause = RetryAfter.read(answer.head.headers) { retryAfter = pause }
    }

    /// The error to throw for an error of the transport: `CancellationError` for a cancellation, else a failure.
    package static func error(for error: TransportError, operation: String) -> any Error {
        error.kind == .cancelled ? CancellationError() : RequestFailure(error, operation: operation)
    }

    /// The message of the service or the transport, in one line.
    package var message: String { reason.message }

    /// Operation and message, in one line.
    package var description: String { "\(operation): \(message)" }

    /// The status of the answer that is no success; nil for other failures.
    package var status: Int? {
        if case .status(let status) = kind { status } else { nil }
    }

    /// The error of the transport; nil when an answer arrived.
    package var transportError: TransportError? {
        if case .transport(let error) = kind { error } else { nil }
    }

    /// Whether the requested object does not exist (404).
    package var isNotFound: Bool { status == 404 }

    /// Whether the answer was larger than the request allows.
    package var isTooLarge: Bool { transportError?.kind == .tooLarge }

    /// Whether the object exists already, or was changed meanwhile (409).
    package var isConflict: Bool { status == 409 }
}

extension RequestFailure.Kind {
    fileprivate var isTransient: Bool {
        switch self {
        case .status(let status): status == 408 || status == 429 || status >= 500
        case .transport(let error): error.isTransient
        case .malformed, .reported, .notSigned: false
        }
    }
}

extension TransportError {
    /// Whether the same request may succeed later without any change.
    package var isTransient: Bool {
        switch kind {
        case .invalidRequest, .tooLarge, .shutDown, .cancelled: false
        default: true
        }
    }
}
