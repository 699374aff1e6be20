internal import HTTPTransport
internal import PrefectConcurrency
package import PrefectJSON
package import PrefectREST

/// A client of one service in one region. Every method throws `RequestFailure`, or `CancellationError` when the task is
/// cancelled.
package struct AWSClient: Sendable {
    let service: AWSService
    /// The credentials; `nil` for requests that are proof by themselves.
    let credentials: CredentialSource?
    /// The client that carries requests. Its policy applies to requests without effect.
    var rest: RESTClient

    /// The time limits of a request. A service that gives no answer is asked again.
    private static let deadlines = Deadlines(
        connect: .seconds(10), firstByte: .seconds(60), idle: .seconds(30), whole: .seconds(90))

    init(
        _ service: AWSService, region: String, url: String, credentials: CredentialSource?,
        transport: HTTPTransport, tls: TLSConfiguration?
    ) {
        self.service = service
        self.credentials = credentials
        rest = RESTClient(
            transport: transport, baseURL: url, headers: ["Accept": "*/*", "User-Agent": "prefect-worker"])
        rest.tls = tls
        rest.reason = { AWSReason.read($0) }
        rest.retries = .reading
        rest.signer = credentials.map { AWSSigner(credentials: $0, region: region, service: service.rawValue) }
    }

    /// A copy that repeats requests by another policy.
    package func repeating(_ retries: Retries) -> AWSClient {
        var copy = self
        copy.rest.retries = retries
        return copy
    }

    /// Sends a request of a service that speaks JSON, and returns the answer.
    package func json(_ operation: String, _ parameters: JSONValue) async throws -> JSONValue {
        try await send(request(operation, parameters)).json()
    }

    /// Sends a request of a service that answers in XML.
    func xml(_ operation: String, _ parameters: [(name: String, value: String)]) async throws -> XMLElement {
        let answer = try await send(form(operation, parameters))
        guard let root = XMLElement(parsing: answer.body) else {
            throw RequestFailure(
                .malformed, operation: answer.operation, message: "the answer is not XML", mayHaveBeenApplied: true)
        }
        return root
    }

    /// Sends a request; a second time with fresh keys if its keys have expired.
    private func send(_ request: RESTRequest) async throws -> RESTAnswer {
        let used = try? await credentials?.current()
        do {
            return try await rest.send(request)
        } catch let failure as RequestFailure where failure.hasExpiredKeys || failure.hasUnknownKeys {
            guard let credentials, let used, used.sessionToken != nil || failure.hasExpiredKeys else { throw failure }
            do {
                try await credentials.renew(after: used)
            } catch let error where !(error is CancellationError) {
                throw failure
            }
            guard try await credentials.current() != used else { throw failure }
            return try await rest.send(request)
        }
    }

    private func request(_ operation: String, _ parameters: JSONValue) throws -> RESTRequest {
        guard case .json(let version, let target) = service.wire else { return form(operation, []) }
        return RESTRequest(
            .post, "/", headers: ["X-Amz-Target": "\(target).\(operation)"],
            body: .bytes(parameters.serializedBytes(), type: "application/x-amz-json-\(version)"),
            deadlines: Self.deadlines, operation: "\(service.rawValue):\(operation)")
    }

    private func form(_ operation: String, _ parameters: [(name: String, value: String)]) -> RESTRequest {
        var fields = [(name: "Action", value: operation)]
        if case .query(let version) = service.wire { fields.append((name: "Version", value: version)) }
        let text = (fields + parameters).map {
            "\(PercentEncoding.encodeInQuery($0.name))=\(PercentEncoding.encodeInQuery($0.value))"
        }.joined(separator: "&")
        return RESTRequest(
            .post, "/",
            body: .bytes(Array(text.utf8), type: "application/x-www-form-urlencoded; charset=utf-8"),
            deadlines: Self.deadlines, operation: "\(service.rawValue):\(operation)")
    }
}

extension Retries {
    /// The policy for requests without effect.
    package static let reading = Retries(
        limit: 3, repeatsApplied: true, shortestPause: .milliseconds(500), longestPause: .seconds(10))
}
