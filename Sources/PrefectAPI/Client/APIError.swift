public import HTTPTransport
internal import JSON

/// Why a request to the Prefect API did not do what it should.
public struct APIError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Kind: Sendable {
        /// The API answered with this status, which is no success.
        case status(Int)
        /// There was no answer.
        case noAnswer(TransportError)
        /// The answer was not what the API promises: no JSON, or JSON of another shape.
        case unreadable
    }

    /// What kind of failure it was.
    public let kind: Kind
    /// The request, as method and path.
    public let operation: String
    /// The cause and what can be done about it, in one line.
    public let detail: String
    /// How long the API asked to be left alone, at most ``RetryPolicy/maximumRetryAfter``.
    public let retryAfter: Duration?
    /// Whether the request may have taken effect although there is no good answer.
    public let mayHaveBeenApplied: Bool

    init(
        _ kind: Kind, operation: String, detail: String, retryAfter: Duration? = nil, mayHaveBeenApplied: Bool = false
    ) {
        self.kind = kind
        self.operation = operation
        self.detail = detail
        self.retryAfter = retryAfter
        self.mayHaveBeenApplied = mayHaveBeenApplied
    }

    public var description: String { "\(operation): \(detail)" }

    /// The status of the answer, when there was one.
    public var status: Int? {
        if case .status(let status) = kind { status } else { nil }
    }

    /// Whether the thing asked for does not exist.
    public var isNotFound: Bool { status == 404 }

    /// Whether the API does not accept who we say we are.
    public var isUnauthorized: Bool { status == 401 || status == 403 }

    /// Whether the same request may succeed later without anybody changing anything.
    public var isTransient: Bool {
        switch kind {
        case .status(let status): status >= 500 || status == 408 || status == 429
        case .noAnswer: true
        case .unreadable: true
        }
    }
}

extension APIError {
    /// Puts the API's own words for a status, or ours, into one line.
    static func explanation(status: Int, body: [UInt8]) -> String {
        let said = message(in: body).map { ": \($0)" } ?? ""
        switch status {
        case 401:
            return "the API does not accept the credentials (401\(said)); check PREFECT_API_KEY or "
                + "PREFECT_API_AUTH_STRING"
        case 403: return "the API forbids this (403\(said)); check the role of the API key"
        case 404: return "not found (404\(said))"
        default: return "the API answered \(status)\(said)"
        }
    }

    /// What an error body says, bounded and on one line.
    private static func message(in body: [UInt8]) -> String? {
        guard let json = try? JSONValue(parsing: body) else { return nil }
        let text = ["detail", "exception_message", "message", "exception_detail"].lazy.compactMap { key -> String? in
            guard let value = json[key], !value.isNull else { return nil }
            return value.stringValue ?? value.serialized()
        }.first
        return text?.explanation
    }
}

extension String {
    /// What the API says to people, on one line and no longer than a line should be.
    var explanation: String {
        // Cut first: what is said may be of any length. A character has any number of scalars.
        let beginning = String(unicodeScalars.prefix(300))
        let line = beginning.split(whereSeparator: \.isNewline).joined(separator: " ")
        return beginning.utf8.count < utf8.count ? line + "…" : line
    }
}

extension TransportError {
    /// Whether the same request may get through later.
    var isWorthRepeating: Bool {
        switch kind {
        case .invalidRequest, .tooLarge, .shutDown, .cancelled: false
        default: true
        }
    }
}
