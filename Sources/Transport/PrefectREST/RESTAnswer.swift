package import HTTPTransport
package import PrefectJSON

/// An answer whose body has been read.
package struct RESTAnswer: Sendable {
    /// The name of the request's operation.
    package let operation: String
    /// Status and headers.
    package let head: HTTPResponse.Head
    /// The body as received. The body of an answer that is no success is cut off after 64 KiB.
    package let body: [UInt8]

    /// Creates an answer.
    package init(operation: String, head: HTTPResponse.Head, body: [UInt8]) {
        self.operation = operation
        self.head = head
        self.body = body
    }

    /// The HTTP status.
    package var status: Int { head.status }

    /// The body as JSON; `null` for an empty body.
    ///
    /// - Throws: ``RequestFailure`` of the kind `malformed`. The service may have applied the request.
    package func json() throws(RequestFailure) -> JSONValue {
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
    package func decode<Value: JSONDecodable>(as type: Value.Type = Value.self) throws(RequestFailure) -> Value {
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
