package import HTTPTransport
package import PrefectJSON
internal import PrefectREST

/// One request to the API, described by method, path, query and JSON body.
package struct APIRequest: Sendable {
    /// The request as it is sent.
    private(set) var rest: RESTRequest
    /// The path with placeholders for names and ids, such as `/work_pools/{name}/queues`. There are few different
    /// routes.
    package let route: String

    /// Creates a request. The parts of the path are percent-encoded one by one, so a name may contain any character. An
    /// empty last part produces the trailing slash that some routes of the API have.
    package init(
        _ method: HTTPMethod, _ path: [APIPathPart], query: [(name: String, value: String)] = [], body: JSONValue? = nil
    ) {
        rest = RESTRequest(
            method, RequestPath(parts: path.map(\.text)), query: query, body: body.map { .json($0) } ?? .none)
        route = path.map { "/" + $0.inRoute }.joined()
    }

    /// The HTTP method.
    package var method: HTTPMethod { rest.method }
    /// Path and query after the API's URL, percent-encoded.
    package var target: String { rest.target }
    /// The JSON body.
    package var body: JSONValue? {
        if case .json(let value) = rest.body { value } else { nil }
    }
    /// Method and path, for messages.
    package var operation: String { rest.operation }
    /// The largest answer that the client reads, in bytes. With the values made from it, the answer takes less than 64
    /// MiB of memory.
    package var maximumBodyBytes: Int {
        get { rest.largestAnswer }
        set { rest.largestAnswer = newValue }
    }
    /// Whether a larger answer is cut off at this size, instead of being an error.
    package var isCutOff: Bool {
        get { rest.cutsLargeAnswer }
        set { rest.cutsLargeAnswer = newValue }
    }

    /// The request with the time limits of a configuration. The whole exchange may take ten times as long as each of
    /// its stages.
    func limited(to timeout: Duration) -> RESTRequest {
        var request = rest
        request.deadlines = Deadlines(connect: timeout, firstByte: timeout, idle: timeout, whole: timeout * 10)
        return request
    }
}

extension HTTPMethod {
    /// Whether the server protects a request of this method with a CSRF token.
    var changesState: Bool { [.post, .put, .patch, .delete].contains(self) }
}

/// A part of a request's path: a fixed word of the API, or the id or name of an object. Only a literal becomes a word,
/// so no name ever becomes part of a route.
package enum APIPathPart: Sendable, ExpressibleByStringLiteral {
    /// A fixed word in the API's routes.
    case word(StaticString)
    /// The id of an object.
    case id(String)
    /// The name of an object.
    case name(String)

    /// Creates a word.
    package init(stringLiteral word: StaticString) { self = .word(word) }

    /// The part as the client sends it, before the encoding.
    var text: String {
        switch self {
        case .word(let word): word.description
        case .id(let id): id
        case .name(let name): name
        }
    }

    /// The part as it appears in a route.
    var inRoute: String {
        switch self {
        case .word(let word): word.description
        case .id: "{id}"
        case .name: "{name}"
        }
    }
}

/// An answer of the API whose status is a success.
public struct APIAnswer: Sendable {
    /// The HTTP status.
    public let status: Int
    /// The body as received.
    public let body: [UInt8]
    /// The request that the answer belongs to, for messages.
    package let operation: String
    /// Whether an earlier attempt of the same request may have taken effect before this answer.
    package let wasRepeated: Bool
    /// Whether an earlier attempt of the same request had no answer from the API itself, so that the API may still
    /// apply it.
    package let mayBeFollowedByItself: Bool

    /// The body as JSON.
    ///
    /// - Throws: An ``APIError`` if the body is no JSON.
    public func json() throws(APIError) -> JSONValue {
        do {
            return try JSONValue(parsing: body)
        } catch  where error.isTooLarge {
            let cause = TransportError(
                kind: .tooLarge, operation: operation, cause: "the answer is \(error.description)",
                requestMayHaveBeenSent: true)
            throw APIError(.noAnswer(cause), operation: operation, detail: cause.cause, mayHaveBeenApplied: true)
        } catch {
            throw APIError(
                .unreadable, operation: operation,
                detail: body.first(where: { $0 > 32 }) == UInt8(ascii: "<")
                    ? "the answer is a web page, not Prefect's; \(Misdirection.remedy)"
                    : "the answer is \(error.description); \(Misdirection.remedy)",
                mayHaveBeenApplied: true)
        }
    }

    /// The body as a value, such as a record or a list of records.
    ///
    /// - Throws: An ``APIError`` that names the first required member that is absent or of another type.
    public func value<Value: JSONConvertible>(as type: Value.Type = Value.self) throws(APIError) -> Value {
        try value(from: try json())
    }

    /// A value from JSON that was made from the body.
    func value<Value: JSONConvertible>(
        from json: JSONValue, as type: Value.Type = Value.self
    ) throws(APIError) -> Value {
        do {
            return try Value(jsonValue: json)
        } catch {
            throw unexpected(error)
        }
    }

    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }

    private func unexpected(_ error: JSONDecodingError) -> APIError {
        APIError(
            .unreadable, operation: operation, detail: "the answer is not as expected: \(error.description)",
            mayHaveBeenApplied: true)
    }
}
