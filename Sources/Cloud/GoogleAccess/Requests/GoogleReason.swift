package import BackendKit
internal import HTTPTransport
internal import PrefectJSON
package import PrefectREST

/// Reads why Google's services refuse requests.
package enum GoogleReason {
    /// The reason in an answer: `{"error": {"status", "message", "details"}}`, or the error of OAuth.
    static func reason(of answer: RESTAnswer) -> ServiceReason {
        guard let json = try? JSONValue(parsing: answer.body) else {
            // A page of HTML, as some fronts of Google send.
            let isPage = answer.body.first == UInt8(ascii: "<")
            return isPage ? ServiceReason(message: "the answer is \(answer.status)") : ServiceReason(of: answer)
        }
        if let code = json["error"]?.stringValue {
            let text = json["error_description"]?.stringValue
            return ServiceReason(code: code, message: text.map { "\(code): \($0)" } ?? code)
        }
        let error = json["error"] ?? json[0]?["error"] ?? .null
        let code = error["status"]?.stringValue ?? ""
        var reason = ServiceReason(text: error["message"]?.stringValue, of: answer)
        reason.code = code
        if !code.isEmpty { reason.message += " (\(code))" }
        for detail in error["details"]?.arrayValue ?? [] {
            guard let text = detail["retryDelay"]?.stringValue, text.hasSuffix("s") else { continue }
            if let seconds = Double(text.dropLast()), seconds >= 0, seconds < 86_400 {
                reason.retryAfter = .milliseconds(Int64(seconds * 1000))
            }
        }
        return reason
    }

    /// Whether the service refuses a request because a quota is used up.
    package static func isQuota(_ failure: RequestFailure) -> Bool {
        guard let status = failure.status else { return false }
        if status == 429 || failure.reason.code == "RESOURCE_EXHAUSTED" { return true }
        let text = failure.message.lowercased()
        return (status == 403 || status == 400) && text.contains("quota") && text.contains("exceeded")
    }

    /// The error of a request about a task.
    ///
    /// - Parameters:
    ///   - identity: The identity that made the request, for the remedy of a missing permission.
    ///   - isCreation: Whether a used-up quota means that the service is full for this task.
    package static func error(
        _ failure: RequestFailure, identity: String, isCreation: Bool = false
    ) -> RemoteTaskError {
        let message = failure.description
        if isQuota(failure) {
            let kind: RemoteTaskError.Kind = isCreation ? .full : .unavailable(isUnapplied: true)
            return RemoteTaskError(
                kind, "\(message). Google's quota or rate limit is reached", retryAfter: failure.retryAfter)
        }
        switch failure.kind {
        case .status(404): return RemoteTaskError(.notFound, message)
        case .status(401):
            return RemoteTaskError(
                .refused, "\(message). Google does not accept the credentials of \(identity): renew them")
        case .status(403):
            return RemoteTaskError(
                .refused,
                "\(message). Grant \(identity) a role with this permission, and check the project and that its API is "
                    + "enabled")
        case .status(let status) where status == 408 || status >= 500:
            return RemoteTaskError(
                .unavailable(isUnapplied: !failure.mayHaveBeenApplied), message, retryAfter: failure.retryAfter)
        case .transport(let error) where error.isTransient:
            return RemoteTaskError(
                .unavailable(isUnapplied: !failure.mayHaveBeenApplied),
                error.remedy.map { "\(message); \($0)" } ?? message)
        case .malformed: return RemoteTaskError(.unavailable(isUnapplied: false), message)
        default: return RemoteTaskError(.refused, message)
        }
    }

    /// Runs the requests of a watch. A refusal, such as one of revoked credentials, says nothing about the tasks. So it
    /// counts as unavailable, which the worker reports, and the watch repeats it.
    package static func watching<Result: Sendable>(
        _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            return try await body()
        } catch let error as RemoteTaskError where error.kind == .refused || error.kind == .full {
            throw RemoteTaskError(.unavailable(isUnapplied: true), error.message, retryAfter: error.retryAfter)
        }
    }
}
