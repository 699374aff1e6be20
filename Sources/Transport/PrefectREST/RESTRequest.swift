package import HTTPTransport
package import PrefectJSON

/// One request to a service, as a value.
package struct RESTRequest: Sendable {
    /// The data that a request carries.
    package enum Body: Sendable, Hashable {
        /// No data.
        case none
        /// A JSON value, sent with the type `application/json`.
        case json(JSONValue)
        /// Bytes of a type, such as `application/x-www-form-urlencoded`.
        case bytes([UInt8], type: String)

        /// The bytes as they are sent; nil without data.
        package var bytes: [UInt8]? {
            switch self {
            case .none: nil
            case .json(let value): value.serializedBytes()
            case .bytes(let bytes, _): bytes
            }
        }

        /// The value of `Content-Type`; nil without data.
        package var type: String? {
            switch self {
            case .none: nil
            case .json: "application/json"
            case .bytes(_, let type): type
            }
        }
    }

    /// The HTTP method.
    package var method: HTTPMethod
    /// The path below the URL of the service.
    package var path: RequestPath
    /// The names and values of the query, not encoded.
    package var query: [(name: String, value: String)]
    /// The headers of this request. They replace those of the client, and also `Content-Type`.
    package var headers: HTTPHeaders
    /// The data of the request.
    package var body: Body
    /// The time limits.
    package var deadlines: Deadlines
    /// The largest answer with a success that is read, in bytes. It does not apply to ``RESTClient/open(_:)``.
    package var largestAnswer: Int
    /// Whether a larger answer is cut off at this size, instead of being a failure.
    package var cutsLargeAnswer = false
    /// Whether the answer is a stream that is silent most of the time, such as a log.
    package var isMostlySilent = false
    /// Whether the request gets a new connection, so that no attempt is repeated below this client. A request that must
    /// not be applied twice needs that.
    package var isSentOnce = false
    /// Overrides the TLS configuration of the client.
    package var tls: TLSConfiguration?
    /// The name of the operation in failures, such as `GET /version`. It must contain no secret.
    package var operation: String

    /// The default of ``largestAnswer``. With the values made from it, such an answer takes less than 64 MiB of memory.
    package static let largestOrdinaryAnswer = 12 << 20

    /// Creates a request. Without `operation`, failures name it by method and path.
    package init(
        _ method: HTTPMethod, _ path: RequestPath, query: [(name: String, value: String)] = [],
        headers: HTTPHeaders = [:], body: Body = .none, deadlines: Deadlines = Deadlines(),
        largestAnswer: Int = largestOrdinaryAnswer, operation: String? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.deadlines = deadlines
        self.largestAnswer = largestAnswer
        self.operation = operation ?? "\(method) \(path)"
    }

    /// Path and query, percent-encoded.
    package var target: String {
        guard !query.isEmpty else { return path.encoded }
        let parts = query.map { "\(PercentEncoding.encodeInQuery($0.name))=\(PercentEncoding.encodeInQuery($0.value))" }
        return path.encoded + "?" + parts.joined(separator: "&")
    }
}
