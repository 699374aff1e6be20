package import HTTPTransport
package import PrefectJSON
package import PrefectREST

/// Sends requests to Azure's Resource Manager. Each has a deadline and is repeated a few times where that is safe.
///
/// Every method throws `RequestFailure`, or `CancellationError` when the task is cancelled.
package struct ResourceManager: Sendable {
    /// The credentials of the requests.
    package let identity: AzureIdentity
    private let client: RESTClient

    /// The name of the parameter for the version of a service.
    private static let version = "api-version"
    /// The most pages that a listing may have.
    private static let mostPages = 500

    /// A client with credentials.
    package init(
        identity: AzureIdentity, transport: HTTPTransport,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.identity = identity
        var client = RESTClient(
            transport: transport, baseURL: identity.cloud.resourceManager, headers: ["Accept": "application/json"],
            sleep: sleep)
        client.reason = { ServiceReason(ofResourceManager: $0) }
        self.client = client
    }

    /// Sends a request, and repeats it when Azure asks for that.
    ///
    /// - Parameter repeatsApplied: Whether the request may be repeated although Azure may have carried it out.
    package func send(
        _ method: HTTPMethod, _ path: RequestPath, query: [(name: String, value: String)] = [], version: String,
        body: JSONValue? = nil, repeatsApplied: Bool = true, operation: String
    ) async throws -> RESTAnswer {
        var request = RESTRequest(
            method, path, query: [(name: Self.version, value: version)] + query,
            body: body.map { .json($0) } ?? .none, deadlines: Self.deadlines, largestAnswer: 64 << 20,
            operation: operation)
        request.isSentOnce = !repeatsApplied
        return try await send(request, repeatsApplied: repeatsApplied)
    }

    /// Whether a URL belongs to this Resource Manager. A token must go to no other host.
    package func serves(_ url: String) -> Bool { url.hasPrefix(client.baseURL + "/") }

    /// Reads a URL that an earlier answer contains: an operation, or the next page.
    package func follow(_ url: String, operation: String) async throws -> RESTAnswer {
        guard serves(url) else {
            throw RequestFailure(
                .malformed, operation: operation, message: "the answer refers to another host than \(client.baseURL)")
        }
        return try await send(
            RESTRequest(
                .get, RequestPath(encoded: String(url.dropFirst(client.baseURL.count))), deadlines: Self.deadlines,
                largestAnswer: 64 << 20, operation: operation), repeatsApplied: true)
    }

    /// Reads a listing with all of its pages.
    package func list(_ path: RequestPath, version: String, operation: String) async throws -> [JSONValue] {
        var page = try await send(.get, path, version: version, operation: operation).json()
        var elements = page["value"]?.arrayValue ?? []
        var pages = 1
        while let next = page["nextLink"]?.stringValue, !next.isEmpty {
            pages += 1
            guard pages <= Self.mostPages else {
                throw RequestFailure(.malformed, operation: operation, message: "the listing does not end")
            }
            page = try await follow(next, operation: operation).json()
            elements += page["value"]?.arrayValue ?? []
        }
        return elements
    }

    private static let deadlines = Deadlines(
        connect: .seconds(20), firstByte: .seconds(60), idle: .seconds(60), whole: .seconds(180))

    private func send(_ request: RESTRequest, repeatsApplied: Bool) async throws -> RESTAnswer {
        var client = client
        client.retries = Retries(
            limit: 3, repeatsApplied: repeatsApplied, shortestPause: .milliseconds(800), longestPause: .seconds(10),
            longestRetryAfter: .seconds(30))
        var refused: AzureToken?
        while true {
            let token: AzureToken
            do {
                token = try await identity.current(insteadOf: refused)
            } catch let error as AzureCredentialError {
                throw RequestFailure(.notSigned, operation: request.operation, message: error.description)
            }
            client.signer = BearerToken(token: token)
            do {
                return try await client.send(request)
            } catch let failure as RequestFailure where failure.status == 401 && refused == nil {
                refused = token
            }
        }
    }
}

/// A token in the header of a request.
private struct BearerToken: RequestSigner {
    let token: AzureToken

    func sign(_ request: inout RESTRequest, for baseURL: String) {
        request.headers["Authorization"] = "Bearer \(token.text)"
    }
}
