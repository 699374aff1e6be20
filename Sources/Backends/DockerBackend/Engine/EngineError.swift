internal import BackendKit
internal import HTTPTransport

/// The reason why a request to the Engine failed.
///
/// The message comes from the Engine or from the transport. It never contains a request's headers or body.
struct EngineError: Error, CustomStringConvertible {
    enum Kind: Hashable {
        /// The Engine answered, but not with a success.
        case answer(status: Int)
        /// The Engine gave no answer, or only a part of one.
        case noAnswer(TransportError.Kind)
        /// The Engine's answer cannot be understood.
        case malformed
        /// The Engine reported a failure within a stream of progress.
        case reported
    }

    let kind: Kind
    /// The requested operation, in a few words.
    let operation: String
    let message: String
    /// Whether the Engine may have carried out the request in spite of the error.
    var mayHaveBeenDone = false

    var description: String { "\(operation): \(message)" }

    /// The status of the Engine's unsuccessful answer; `nil` for other errors.
    var status: Int? {
        if case .answer(let status) = kind { status } else { nil }
    }

    var isNotFound: Bool { status == 404 }

    /// Whether the same request may succeed later without any change.
    var isTransient: Bool {
        switch kind {
        case .answer(let status): status == 503 || status == 502 || status == 429
        case .noAnswer: true
        case .malformed, .reported: false
        }
    }

    init(_ kind: Kind, operation: String, message: String, mayHaveBeenDone: Bool = false) {
        self.kind = kind
        self.operation = operation
        // The Engine may quote text from anywhere, so the message is reduced to one line of limited length.
        let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        self.message = line.count > 1000 ? "\(line.prefix(1000))…" : line
        self.mayHaveBeenDone = mayHaveBeenDone
    }

    init(_ error: TransportError, operation: String) {
        self.init(
            .noAnswer(error.kind), operation: operation, message: error.cause,
            mayHaveBeenDone: error.requestMayHaveBeenSent)
    }

    /// The error that the worker derives from this one.
    func infrastructureError(_ subject: String, remedy: String? = nil, exitCode: Int? = nil) -> InfrastructureError {
        let kind: InfrastructureError.Kind =
            switch self.kind {
            case .answer(404): .notFound
            case _ where isTransient: .unavailable
            default: .refused
            }
        let ending = remedy.map { "; \($0)" } ?? ""
        return InfrastructureError(kind, "\(subject): \(message)\(ending)", exitCode: exitCode)
    }
}
