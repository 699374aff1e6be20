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
    /// The largest answer that is read.
    public var maximumBodyBytes = 32 << 20

    /// A request. The parts of the path are percent-encoded one by one, so a name may hold any character; an empty
    /// last part leaves the trailing slash that some routes of the API have.
    public init(
        _ method: HTTPMethod, _ path: [String], query: [(name: String, value: String)] = [], body: JSONValue? = nil
    ) {
        self.method = method
        let encodedPath = path.map { "/" + PercentEncoding.encode($0) }.joined()
        let encodedQuery = query.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
        target = encodedPath + (encodedQuery.isEmpty ? "" : "?" + encodedQuery.joined(separator: "&"))
        self.body = body
        operation = "\(method.rawValue) \(encodedPath)"
    }

    /// Whether the server protects the request with a CSRF token.
    var changesState: Bool { [.post, .put, .patch, .delete].contains(method) }
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
                detail: "the answer is \(error.description); is the URL that of a Prefect API?",
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

    package static func encode(_ text: String) -> String {
        // A part of dots alone would be resolved away as a relative path.
        let plain: (UInt8) -> Bool =
            text.utf8.allSatisfy({ $0 == UInt8(ascii: ".") })
            ? { $0 != UInt8(ascii: ".") && unreserved.contains($0) } : { unreserved.contains($0) }
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            if plain(byte) {
                encoded.append(byte)
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                encoded.append(contentsOf: "%\(digits.count == 1 ? "0" : "")\(digits)".utf8)
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
