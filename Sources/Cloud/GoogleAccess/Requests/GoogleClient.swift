internal import BackendKit
internal import FoundationEssentials
package import HTTPTransport
package import PrefectJSON
package import PrefectREST

/// Sends the requests of one identity to a service of Google. It renews a token that Google no longer accepts.
package struct GoogleClient: Sendable {
    /// The tokens of the identity.
    package let tokens: GoogleTokens

    /// The time limits of a request.
    private static let deadlines = Deadlines(
        connect: .seconds(15), firstByte: .seconds(60), idle: .seconds(60), whole: .seconds(90))

    /// A request that only reads is repeated at once; all others are up to the caller.
    private static let readRetries = Retries(
        limit: 2, repeatsApplied: true, shortestPause: .milliseconds(500), longestPause: .seconds(5),
        longestRetryAfter: .seconds(10))

    /// A client of an identity.
    package init(_ tokens: GoogleTokens) { self.tokens = tokens }

    /// The worker's environment.
    package var environment: [String: String] { tokens.surroundings.environment }

    /// The identity for messages.
    package var identity: String { tokens.credentials.identity }

    /// Sends a request. Throws `RequestFailure`, `RemoteTaskError` without a token, or `CancellationError`.
    package func perform(_ request: GoogleRequest) async throws -> JSONValue {
        var refused: String?
        while true {
            let token = try await tokens.current(insteadOf: refused)
            let retries = request.method == .get ? Self.readRetries : .none
            var client = tokens.surroundings.client(of: request.baseURL, retries: retries)
            client.signer = GoogleSigner(token: token, quotaProject: tokens.credentials.quotaProject)
            do {
                var sent = RESTRequest(
                    request.method, request.path, query: request.query,
                    body: request.body.map { .json($0) } ?? .none, deadlines: Self.deadlines,
                    operation: request.operation)
                sent.isSentOnce = request.isSentOnce
                return try await client.json(sent)
            } catch let failure as RequestFailure where failure.status == 401 && refused == nil {
                // The token may have been revoked before its time.
                refused = token
            }
        }
    }

    /// Sends a request. Throws `RemoteTaskError`, or `CancellationError`.
    ///
    /// - Parameter isCreation: Whether a used-up quota means that the service has no place for the task.
    package func json(_ request: GoogleRequest, isCreation: Bool = false) async throws -> JSONValue {
        do {
            return try await perform(request)
        } catch let failure as RequestFailure {
            throw GoogleReason.error(failure, identity: identity, isCreation: isCreation)
        }
    }

    /// Reads all pages of a list.
    ///
    /// - Parameters:
    ///   - items: The member of an answer that holds the elements.
    ///   - pause: The time between the requests of two pages.
    package func list(
        _ request: GoogleRequest, items: String, pause: Duration = .zero
    ) async throws -> [JSONValue] {
        var found: [JSONValue] = []
        var request = request
        let query = request.query
        while true {
            let page = try await json(request)
            found += page[items]?.arrayValue ?? []
            // Knative's lists continue by `metadata.continue`, all others by `nextPageToken`.
            let next: (name: String, value: String)
            if let token = page["nextPageToken"]?.stringValue, !token.isEmpty {
                next = ("pageToken", token)
            } else if let token = page["metadata"]?["continue"]?.stringValue, !token.isEmpty {
                next = ("continue", token)
            } else {
                return found
            }
            // A service that repeats a page would never end.
            guard !request.query.contains(where: { $0 == next }) else { return found }
            request.query = query + [next]
            if pause > .zero { try await Task.sleep(for: pause) }
        }
    }
}

/// One request to a service of Google.
package struct GoogleRequest: Sendable {
    package var method: HTTPMethod
    /// The URL before the path.
    package var baseURL: String
    package var path: RequestPath
    package var query: [(name: String, value: String)]
    package var body: JSONValue?
    /// The name of the operation for messages.
    package var operation: String
    /// Whether the request must not be applied twice.
    package var isSentOnce = false

    /// A request.
    package init(
        _ method: HTTPMethod, _ baseURL: String, _ path: RequestPath, query: [(name: String, value: String)] = [],
        body: JSONValue? = nil, operation: String
    ) {
        self.method = method
        self.baseURL = baseURL
        self.path = path
        self.query = query
        self.body = body
        self.operation = operation
    }

    /// The request as `prefect-worker render` prints it.
    package var description: JSONValue {
        let target = RESTRequest(method, path, query: query).target
        return ["method": .string(method.rawValue), "url": .string(baseURL + target), "body": body ?? .null]
    }
}
