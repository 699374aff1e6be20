internal import HTTPTransport
internal import PrefectREST

/// Sends the requests of an ``APIClient`` in place of the built-in transport, for example in tests of a program.
///
/// The client adds credentials and headers before, and retries by ``RetryPolicy`` after. WebSockets do not use it.
public protocol APITransport: Sendable {
    /// Sends a request once and returns the answer, whatever its status.
    ///
    /// - Throws: `CancellationError` when the task is cancelled. Any other error counts as a broken connection, which the
    ///   client retries.
    func send(_ request: APITransportRequest) async throws -> APITransportAnswer
}

/// A request for an ``APITransport``.
public struct APITransportRequest: Sendable {
    /// The HTTP method, such as `GET`.
    public let method: String
    /// The whole URL.
    public let url: String
    /// All headers, also the credentials.
    public let headers: [(name: String, value: String)]
    /// The body, if there is one.
    public let body: [UInt8]?
    /// The time within which the first byte of the answer should arrive.
    public let timeout: Duration?
}

/// The answer of an ``APITransport``.
public struct APITransportAnswer: Sendable {
    /// The HTTP status.
    public var status: Int
    /// The headers.
    public var headers: [(name: String, value: String)]
    /// The whole body.
    public var body: [UInt8]

    /// Creates an answer.
    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

extension APITransport {
    func exchange(_ request: RESTRequest, url: String) async throws -> RESTAnswer {
        let sent = APITransportRequest(
            method: request.method.rawValue, url: url,
            headers: request.headers.map { (name: $0.name, value: $0.value) }, body: request.body.bytes,
            timeout: request.deadlines.firstByte)
        do {
            let answer = try await send(sent)
            var head = HTTPResponse.Head(status: answer.status)
            for (name, value) in answer.headers { head.headers.add(name, value) }
            return RESTAnswer(operation: request.operation, head: head, body: answer.body)
        } catch let error where error is CancellationError || error is RequestFailure {
            throw error
        } catch {
            let cause = TransportError(
                kind: .receiveFailed, operation: request.operation, cause: "\(error)", requestMayHaveBeenSent: true)
            throw RequestFailure.error(for: cause, operation: request.operation)
        }
    }
}
