internal import HTTPTransport
internal import JSON

/// The reason why a request to the cluster failed: a `Status` of the API server, or a failure on the way to it.
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

    /// One field that was refused.
    struct Cause: Sendable, Hashable {
        let field: String
        let message: String
    }

    let kind: Kind
    /// The HTTP status, if there was an answer.
    var status: Int?
    /// The API server's own name for the reason, like `AlreadyExists`.
    var reason = ""
    /// The message of the API server or the transport.
    var message: String
    /// The fields that were refused, when the API server names them.
    var causes: [Cause] = []
    /// The time to wait that the API server requests.
    var retryAfter: Duration?
    /// The request: its method and its path.
    var operation: String
    /// Whether the API server may have applied the request; `false` when it certainly has not.
    var mayHaveBeenApplied = false

    /// Whether the same request may succeed later.
    var isTransient: Bool {
        switch kind {
        case .overloaded, .unreachable, .unreadable: true
        default: false
        }
    }

    /// The API server's message, with the fields that it refused, in one line.
    var detail: String {
        let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.isEmpty ? reason : String(line.prefix(600))
    }

    var description: String {
        let said = status.map { " (\($0)\(reason.isEmpty ? "" : " \(reason)"))" } ?? ""
        return "\(operation)\(said): \(detail)"
    }
}

extension KubernetesError {
    /// Reads the error from an unsuccessful answer.
    init(status: Int, headers: HTTPHeaders, body: [UInt8], operation: String) {
        let json = (try? JSONValue(parsing: body)) ?? .null
        let answer = json["kind"] == "Status" ? json : [:]
        let text = String(decoding: body.prefix(300), as: UTF8.self)
        self.init(
            answer, status: status, operation: operation,
            otherwise: json["kind"] == "Status" ? "" : (text.isEmpty ? "the answer is empty" : text))
        retryAfter =
            (headers["Retry-After"].flatMap { Int($0) }.map(Double.init)
            ?? answer["details"]?["retryAfterSeconds"]?.doubleValue).map { .pause(seconds: $0, in: 0...3600) }
    }

    /// Reads the error from a `Status`, including one that arrived in a watch.
    init(_ answer: JSONValue, status: Int, operation: String, otherwise: String = "") {
        reason = answer["reason"]?.stringValue ?? ""
        message = answer["message"]?.stringValue ?? otherwise
        causes = (answer["details"]?["causes"]?.arrayValue ?? []).map { cause in
            Cause(field: cause["field"]?.stringValue ?? "", message: cause["message"]?.stringValue ?? "")
        }
        self.status = status
        self.operation = operation
        mayHaveBeenApplied = status >= 500
        kind =
            switch status {
            case 401: .unauthorized
            case 403: .forbidden
            case 404: .notFound
            case 409: reason == "AlreadyExists" ? .alreadyExists : .conflict
            case 410: .expired
            case 408, 429, 500...: .overloaded
            default: .refused
            }
    }

    init(_ error: TransportError, operation: String) {
        let kind: Kind =
            switch error.kind {
            case .invalidRequest: .configuration
            case .tooLarge, .protocolViolation: .unreadable
            default: .unreachable
            }
        let remedy = error.remedy.map { "; \($0)" } ?? ""
        self.init(
            kind: kind, message: "\(error.cause)\(remedy)", operation: operation,
            mayHaveBeenApplied: error.requestMayHaveBeenSent)
    }

    init(_ error: ClusterConfigurationError, operation: String) {
        self.init(kind: .configuration, message: error.description, operation: operation)
    }
}
