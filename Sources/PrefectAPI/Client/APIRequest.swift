public import HTTPTransport
public import JSON

/// One request to the API, in terms of the API.
public struct APIRequest: Sendable {
    /// The HTTP method.
    public let method: HTTPMethod
    /// Path and query behind the API's URL, percent-encoded.
    public let target: String
    /// The JSON body.
    public let body: JSONValue?
    /// Method and path as they stand in messages.
    public let operation: String
    /// The path without the names and ids in it, like `/work_pools/{name}/queues`; one of few.
    public let route: String
    /// The largest answer that is read. With what is made of it, it takes less than 64 MiB of memory.
    public var maximumBodyBytes = 12 << 20
    /// Whether an answer that is larger is cut off there, instead of being an error.
    public var isCutOff = false

    /// A request. The parts of the path are percent-encoded one by one, so a name may hold any character; an empty
    /// last part leaves the trailing slash that some routes of the API have.
    public init(
        _ method: HTTPMethod, _ path: [APIPathPart], query: [(name: String, value: String)] = [], body: JSONValue? = nil
    ) {
        self.method = method
        let encodedPath = path.map { "/" + PercentEncoding.encode($0.text) }.joined()
        let encodedQuery = query.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
        target = encodedPath + (encodedQuery.isEmpty ? "" : "?" + encodedQuery.joined(separator: "&"))
        self.body = body
        operation = "\(method.rawValue) \(encodedPath)"
        route = path.map { "/" + $0.inRoute }.joined()
    }

    /// Whether the server protects the request with a CSRF token.
    var changesState: Bool { [.post, .put, .patch, .delete].contains(method) }
}

/// A part of a request's path: a word of the API, or what stands for one of many things. A literal is a word, and nothing
/// else is: so no name ever gets into a route.
public enum APIPathPart: Sendable, ExpressibleByStringLiteral {
    /// A word that the API has for its routes.
    case word(StaticString)
    /// The id of a thing.
    case id(String)
    /// The name of a thing.
    case name(String)

    /// A word.
    public init(stringLiteral word: StaticString) { self = .word(word) }

    /// The part as it is sent, but for the encoding.
    var text: String {
        switch self {
        case .word(let word): word.description
        case .id(let id): id
        case .name(let name): name
        }
    }

    /// The part as it stands in a route.
    var inRoute: String {
        switch self {
        case .word(let word): word.description
        case .id: "{id}"
        case .name: "{name}"
        }
    }
}

/// An answer of the API whose status is one of success.
public struct APIAnswer: Sendable {
    /// The HTTP status.
    public let status: Int
    /// The body as it came.
    public let body: [UInt8]
    /// The request it answers, for messages.
    public let operation: String
    /// Whether an earlier attempt of the same request may have taken effect before this answer.
    public let wasRepeated: Bool
    /// Whether an earlier attempt of the same request had no answer of the API's own, so that the API may carry it out yet.
    public let mayBeFollowedByItself: Bool

    /// The body as JSON.
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

    /// The body as a value of the API.
    public func decode<Value: JSONDecodable>(as type: Value.Type = Value.self) throws(APIError) -> Value {
        let value = try json()
        do {
            return try Value(json: JSONFields(value))
        } catch {
            throw APIError(
                .unreadable, operation: operation, detail: "the answer is not as expected: \(error.description)",
                mayHaveBeenApplied: true)
        }
    }
}

/// Percent-encoding of single path and query parts.
package enum PercentEncoding {
    private static let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)

    /// The text with all bytes encoded but those of letters, digits, `-._~` and `others`.
    package static func encode(_ text: String, keeping others: String = "") -> String {
        // A part of dots alone would be resolved away as a relative path.
        let hasOnlyDots = text.utf8.allSatisfy { $0 == UInt8(ascii: ".") }
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            if unreserved.contains(byte) || others.utf8.contains(byte), !hasOnlyDots {
                encoded.append(byte)
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                encoded.append(contentsOf: "%\(digits.count == 1 ? "0" : "")\(digits)".utf8)
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
