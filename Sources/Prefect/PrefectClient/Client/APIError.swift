package import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON
internal import PrefectREST

/// The reason why a request to the Prefect API failed.
public struct APIError: Error, Sendable, CustomStringConvertible {
    /// The kind of the failure.
    package enum Kind: Sendable {
        /// The API answered with this status, which is not a success.
        case status(Int)
        /// No answer arrived.
        case noAnswer(TransportError)
        /// The answer was not what the API promises: it was no JSON, or JSON of another shape.
        case unreadable
    }

    private let failure: RequestFailure
    /// The reason why an answer of 404 or 405 does not concern the requested object, if there is one.
    private let misdirection: Misdirection?

    init(
        _ kind: Kind, operation: String, detail: String, retryAfter: Duration? = nil, mayHaveBeenApplied: Bool = false,
        misdirection: Misdirection? = nil
    ) {
        let failureKind: RequestFailure.Kind =
            switch kind {
            case .status(let status): .status(status)
            case .noAnswer(let error): .transport(error)
            case .unreadable: .malformed
            }
        failure = RequestFailure(
            failureKind, operation: operation, reason: ServiceReason(message: detail, retryAfter: retryAfter),
            mayHaveBeenApplied: mayHaveBeenApplied)
        self.misdirection = misdirection
    }

    /// A request that is not sent, because the API would not accept it.
    init(invalid detail: String, operation: String) {
        let cause = TransportError(
            kind: .invalidRequest, operation: operation, cause: detail, requestMayHaveBeenSent: false)
        self.init(.noAnswer(cause), operation: operation, detail: detail)
    }

    /// The kind of the failure.
    package var kind: Kind {
        switch failure.kind {
        case .status(let status): .status(status)
        case .transport(let error): .noAnswer(error)
        case .malformed, .reported, .notSigned: .unreadable
        }
    }

    /// The request, as method and path.
    public var operation: String { failure.operation }
    /// The cause and the remedy, in one line.
    public var detail: String { failure.message }
    /// The pause that the API requested, at most ``RetryPolicy/maximumRetryAfter``.
    public var retryAfter: Duration? { failure.retryAfter }
    /// Whether the request may have taken effect although no good answer arrived.
    public var mayHaveBeenApplied: Bool { failure.mayHaveBeenApplied }

    /// The request, the cause and the remedy in one line.
    public var description: String { failure.description }

    /// The status of the answer, if there was one.
    public var status: Int? { failure.status }

    /// Whether the requested object does not exist. A page from something other than a Prefect API does not count.
    public var isNotFound: Bool { status == 404 && misdirection != .page }

    /// Whether the object exists already, or has changed meanwhile: 409.
    public var isConflict: Bool { status == 409 }

    /// Whether all slots of a concurrency limit are taken: 423. ``retryAfter`` is the pause that the API requests.
    public var isLocked: Bool { status == 423 }

    /// Whether the API does not accept the values of the request: 422.
    public var isUnprocessable: Bool { status == 422 }

    /// Whether a Prefect server has no such route, because the path of the URL or the version is wrong.
    public var isMissingRoute: Bool { misdirection == .unknownRoute }

    /// Whether the API refuses the request itself. The API then refuses the same request again until somebody changes
    /// something. A missing object does not count, because it may be created at any time.
    public var isPermanent: Bool {
        if case .noAnswer(let cause) = kind { return cause.kind == .invalidRequest }
        guard let status, (400..<500).contains(status), !isTransient else { return false }
        return !isNotFound || isMissingRoute
    }

    /// Whether the answer was larger than the client reads.
    public var isTooLarge: Bool { failure.isTooLarge }

    /// Whether the API does not accept the identity of the client: 401 or 403.
    public var isUnauthorized: Bool { status == 401 || status == 403 }

    /// Whether the same request may succeed later without any change.
    public var isTransient: Bool {
        switch kind {
        case .status(let status): status >= 500 || status == 408 || status == 429 || misdirection == .page
        case .noAnswer(let cause): cause.kind != .invalidRequest
        case .unreadable: true
        }
    }
}

/// The ways in which an answer shows that the request did not reach a route of a Prefect API.
enum Misdirection: Sendable, Hashable {
    /// The answer is not JSON: it is a web page or the text of a gateway.
    case page
    /// The server's answer to all unknown paths.
    case unknownRoute

    /// Detects a misdirection from the status and the body of an error; `nil` if the answer shows none.
    init?(status: Int, body: [UInt8]) {
        guard status == 404 || status == 405, !body.isEmpty else { return nil }
        guard let json = try? JSONValue(parsing: body) else {
            self = .page
            return
        }
        guard status == 405 || json["detail"] == "Not Found" else { return nil }
        self = .unknownRoute
    }

    /// The remedy, for messages to the user.
    static let remedy = "PREFECT_API_URL must be the address of a Prefect API, which usually ends in /api"
}

extension APIError {
    /// The explanation of a status in one line, with the text of the API if there is one.
    static func explanation(status: Int, body: [UInt8]) -> String {
        switch Misdirection(status: status, body: body) {
        case .page: return "the answer is not Prefect's (\(status), no JSON); \(Misdirection.remedy)"
        case .unknownRoute: return "the server has no such route (\(status)); \(Misdirection.remedy)"
        case nil: break
        }
        let detail = message(in: body).map { ": \($0)" } ?? ""
        switch status {
        case 401:
            return "the API does not accept the credentials (401\(detail)); check PREFECT_API_KEY or "
                + "PREFECT_API_AUTH_STRING"
        case 403 where detail.contains("reserved"): return "the API forbids this (403\(detail)); choose another name"
        case 403: return "the API forbids this (403\(detail)); check the role of the API key"
        case 404: return "not found (404\(detail))"
        case 409: return "this exists already, or has changed meanwhile (409\(detail))"
        case 422: return "the API does not accept these values (422\(detail))"
        default: return "the API answered \(status)\(detail)"
        }
    }

    /// The text of an error body, bounded and on one line.
    private static func message(in body: [UInt8]) -> String? {
        guard let json = try? JSONValue(parsing: body) else { return nil }
        if let problems = problems(json["exception_detail"]) ?? problems(json["detail"]) { return problems }
        let text = ["detail", "exception_message", "message", "exception_detail"].lazy.compactMap { key -> String? in
            guard let value = json[key], !value.isNull else { return nil }
            return value.stringValue ?? value.withoutInputs.serialized()
        }.first
        return text?.explanation
    }

    /// The fields that a validation has refused, with the reasons; `nil` if the value is not a list of them.
    private static func problems(_ value: JSONValue?) -> String? {
        let problems = (value?.arrayValue ?? []).prefix(5).compactMap { problem -> String? in
            guard let message = problem["msg"]?.stringValue else { return nil }
            let path = (problem["loc"]?.arrayValue ?? []).filter { $0 != "body" }
                .map { $0.stringValue ?? $0.serialized() }
            return path.isEmpty ? message : "\(path.joined(separator: ".")): \(message)"
        }
        return problems.isEmpty ? nil : problems.joined(separator: "; ").explanation
    }
}

extension JSONValue {
    /// The value without the members in which the API repeats values of the request, which may be secrets.
    fileprivate var withoutInputs: JSONValue {
        switch self {
        case .array(let elements): .array(elements.map(\.withoutInputs))
        case .object(let members):
            .object(
                members.filter { !["input", "ctx", "body", "request_body"].contains($0.key) }
                    .mapValues(\.withoutInputs))
        default: self
        }
    }
}

extension String {
    /// The text of the API for people, on one line and cut to 300 Unicode scalars.
    var explanation: String {
        // The text is cut before it is split, because it may have any length. It is cut by scalars, because a character
        // may have any number of them.
        let beginning = String(unicodeScalars.prefix(300))
        let line = beginning.split(whereSeparator: \.isNewline).joined(separator: " ").onOneLine
        return beginning.utf8.count < utf8.count ? line + "…" : line
    }
}
