internal import HTTPTransport
internal import PrefectJSON
internal import PrefectREST

/// The reason why a request to the cluster failed: a `Status` of the API server, or a failure on the way to it.
@dynamicMemberLookup
struct KubernetesError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of failures.
    enum Kind: Sendable, Hashable {
        /// 401: the credentials are unknown or no longer valid.
        case unauthorized
        /// 403: the credentials do not permit the request.
        case forbidden
        /// 404: the object, or its namespace, does not exist.
        case notFound
        /// 409 `AlreadyExists`.
        case alreadyExists
        /// 409 for another reason: something else has changed the object.
        case conflict
        /// 410: the version from which a list or a watch was to continue has been forgotten.
        case expired
        /// 400, 413, 415, 422 and similar: the request itself is refused.
        case refused
        /// 429, 5xx: the request cannot be served at the moment.
        case overloaded
        /// The API server cannot be reached, or its answer broke off.
        case unreachable
        /// The answer cannot be understood.
        case unreadable
        /// The configuration or the credentials cannot be used.
        case configuration
    }

    let kind: Kind
    private var failure: RequestFailure

    init(kind: Kind, failure: RequestFailure) {
        self.kind = kind
        self.failure = failure
        self.failure.isTransient =
            switch kind {
            case .overloaded, .unreachable, .unreadable: true
            default: false
            }
    }

    subscript<Value>(dynamicMember member: WritableKeyPath<RequestFailure, Value>) -> Value {
        get { failure[keyPath: member] }
        set { failure[keyPath: member] = newValue }
    }

    subscript<Value>(dynamicMember member: KeyPath<RequestFailure, Value>) -> Value { failure[keyPath: member] }

    /// The API server's own name for the reason, like `AlreadyExists`.
    var reason: String { failure.reason.code }
    /// The fields that were refused, when the API server names them.
    var causes: [ServiceReason.Field] { failure.reason.fields }

    /// The API server's message, with the fields that it refused, in one line.
    var detail: String {
        failure.message.isEmpty ? reason : String(failure.message.prefix(600))
    }

    var description: String {
        let status = failure.status.map { " (\($0)\(reason.isEmpty ? "" : " \(reason)"))" } ?? ""
        return "\(failure.operation)\(status): \(detail)"
    }
}

extension KubernetesError {
    /// The error of a `Status` that arrived in a watch.
    init(_ status: JSONValue, status code: Int, operation: String) {
        self.init(RequestFailure(.status(code), operation: operation, reason: Self.reason(of: status)))
    }

    /// The error for a failed request.
    init(_ failure: RequestFailure) {
        var failure = failure
        failure.retryAfter = failure.retryAfter.map { min($0, Self.longestRetryAfter) }
        let kind: Kind =
            switch failure.kind {
            case .status(401): .unauthorized
            case .status(403): .forbidden
            case .status(404): .notFound
            case .status(409): failure.reason.code == "AlreadyExists" ? .alreadyExists : .conflict
            case .status(410): .expired
            case .status(408), .status(429), .status(500...): .overloaded
            case .status: .refused
            case .transport(let error):
                switch error.kind {
                case .invalidRequest: .configuration
                case .tooLarge, .protocolViolation: .unreadable
                default: .unreachable
                }
            case .malformed, .reported: .unreadable
            case .notSigned: .configuration
            }
        if let remedy = failure.transportError?.remedy { failure.reason.message += "; \(remedy)" }
        self.init(kind: kind, failure: failure)
    }

    /// An error that the worker itself finds.
    init(kind: Kind, message: String, operation: String) {
        self.init(kind: kind, failure: RequestFailure(.malformed, operation: operation, message: message))
    }

    private static let longestRetryAfter = Duration.seconds(3600)

    /// Reads the reason from the `Status` of an unsuccessful answer.
    static func reason(of answer: RESTAnswer) -> ServiceReason {
        let json = try? JSONValue(parsing: answer.body)
        if let json, json["kind"] == "Status" { return reason(of: json) }
        let text = String(decoding: answer.body.prefix(300), as: UTF8.self)
        return ServiceReason(message: text.isEmpty ? "the answer is empty" : text)
    }

    private static func reason(of status: JSONValue) -> ServiceReason {
        let details = status["details"]
        return ServiceReason(
            code: status["reason"]?.stringValue ?? "", message: status["message"]?.stringValue ?? "",
            fields: (details?["causes"]?.arrayValue ?? []).map { cause in
                ServiceReason.Field(
                    field: cause["field"]?.stringValue ?? "", message: cause["message"]?.stringValue ?? "")
            },
            retryAfter: details?["retryAfterSeconds"]?.doubleValue.map { .pause(seconds: $0) })
    }
}
