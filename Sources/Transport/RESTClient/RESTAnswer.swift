public import HTTPTransport
public import JSON

/// An answer whose body has been read.
public struct RESTAnswer: Sendable {
    /// The name of the request's operation.
    public let operation: String
    /// Status and headers.
    public let head: HTTPResponse.Head
    /// The body as received. The body of an answer that is no success is cut off after 64 KiB.
    public let body: [UInt8]

    /// Creates an answer.
    public init(operation: String, head: HTTPResponse.Head, body: [UInt8]) {
        self.operation = operation
        self.head = head
        self.body = body
    }

    /// The HTTP status.
    public var status: Int { head.status }

    /// The body as JSON; `null` for an empty body.
    ///
    /// - Throws: ``RequestFailure`` of the kind `malformed`. The service may have applied the request.
    public func json() throws(RequestFailure) -> JSONValue {
        guard !body.isEmpty else { return .null }
        do {
            return try JSONValue(parsing: body)
        } catch {
            throw RequestFailure(
                .malformed, operation: operation, message: "the answer is \(error)", mayHaveBeenApplied: true)
        }
    }

    /// The body decoded as a value of the service.
    ///
    /// - Throws: ``RequestFailure`` of the kind `malformed`. The service may have applied the request.
    public func decode<Value: JSONDecodable>(as type: Value.Type = Value.self) throws(RequestFailure) -> Value {
        let value = try json()
        do {
            return try Value(json: JSONFields(value))
        } catch {
            throw RequestFailure(
                .malformed, operation: operation, message: "the answer is not as expected: \(error)",
                mayHaveBeenApplied: true)
        }
    }
}
