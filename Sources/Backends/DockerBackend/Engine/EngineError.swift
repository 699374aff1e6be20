internal import BackendKit
internal import HTTPTransport
internal import PrefectREST

/// The reason why a request to the Engine failed.
typealias EngineError = RequestFailure

extension RequestFailure {
    /// The error that the worker derives from this one.
    func infrastructureError(_ subject: String, remedy: String? = nil, exitCode: Int? = nil) -> InfrastructureError {
        let kind: InfrastructureError.Kind = isNotFound ? .notFound : isTransient ? .unavailable : .refused
        let ending = remedy.map { "; \($0)" } ?? ""
        return InfrastructureError(kind, "\(subject): \(message)\(ending)", exitCode: exitCode)
    }
}
