internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// Microsoft's token service, which gives tokens to applications.
struct TokenService: Sendable {
    let transport: HTTPTransport
    let sleep: @Sendable (Duration) async throws -> Void

    /// Requests a token with a form. A failure other than a refusal is a ``RequestFailure``.
    func token(
        for cloud: AzureCloud, tenant: String, form: [(name: String, value: String)], source: some TokenSource
    ) async throws -> RenewedValue<AzureToken>.Reading {
        var client = RESTClient(
            transport: transport, baseURL: cloud.authority,
            retries: Retries(
                limit: 2, repeatsApplied: true, shortestPause: .milliseconds(500), longestPause: .seconds(5),
                longestRetryAfter: .seconds(20)), sleep: sleep)
        client.reason = { answer in
            let json = try? JSONValue(parsing: answer.body)
            let text = json?["error_description"]?.stringValue
            return ServiceReason(
                code: json?["error"]?.stringValue ?? "",
                message: text.flatMap { $0.split(whereSeparator: \.isNewline).first.map(String.init) }
                    ?? ServiceReason(of: answer).message)
        }
        let body = (form + [("scope", cloud.scope)])
            .map { "\(PercentEncoding.encodeInQuery($0.0))=\(PercentEncoding.encodeInQuery($0.1))" }
            .joined(separator: "&")
        let request = RESTRequest(
            .post, "/\(tenant)/oauth2/v2.0/token",
            body: .bytes(Array(body.utf8), type: "application/x-www-form-urlencoded"),
            deadlines: Deadlines(connect: .seconds(20), firstByte: .seconds(30), idle: .seconds(30)),
            operation: "request a token for Azure")
        do {
            return try source.reading(of: try await client.json(request))
        } catch let failure as RequestFailure {
            guard let status = failure.status, !failure.isTransient else { throw failure }
            throw AzureCredentialError(
                "The token service refuses the \(source.name) (\(status)): \(failure.message.trimmedSentence); "
                    + "correct or renew the credentials")
        }
    }
}

extension String {
    /// The text without a full stop and spaces at its end.
    package var trimmedSentence: String {
        var text = self[...]
        while let last = text.last, last == "." || last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
