internal import HTTPTransport
internal import Worker

/// Why the Engine did not do what it was asked.
///
/// The message is the Engine's own, or the transport's; neither has a request's headers or body in it.
struct EngineError: Error, CustomStringConvertible {
    enum Kind: Hashable {
        /// It answered, and not with a success.
        case answer(status: Int)
        /// It gave no answer, or only a part of one.
        case noAnswer(TransportError.Kind)
        /// Its answer cannot be understood.
        case malformed
        /// It reported a failure within a stream of progress.
        case reported
    }

    let kind: Kind
    /// What was asked, in a few words.
    let operation: String
    let message: String
    /// Whether the Engine may have done it all the same.
    var mayHaveBeenDone = false

    var description: String { "\(operation): \(message)" }

    /// The status of the Engine's answer, when it answered.
    var status: Int? {
        if case .answer(let status) = kind { status } else { nil }
    }

    var isNotFound: Bool { status == 404 }

    /// Whether the same may succeed at another time without anything being changed.
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
        // What an Engine quotes may come from anywhere.
        let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        self.message = line.count > 1000 ? "\(line.prefix(1000))…" : line
        self.mayHaveBeenDone = mayHaveBeenDone
    }

    init(_ error: TransportError, operation: String) {
        self.init(
            .noAnswer(error.kind), operation: operation, message: error.cause,
            mayHaveBeenDone: error.requestMayHaveBeenSent)
    }

    /// What the worker makes of it.
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
