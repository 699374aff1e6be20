internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// The identity that Azure gives to a machine, an app or a container.
struct ManagedIdentitySource: TokenSource {
    let name = "managed identity"
    /// Reaches addresses of the machine itself, without a proxy.
    let transport: @Sendable () throws -> HTTPTransport
    let environment: [String: String]
    /// The client id of a user-assigned identity; `nil` for that of the machine.
    let clientID: String?
    let sleep: @Sendable (Duration) async throws -> Void

    private struct Endpoint {
        let url: String
        let path: RequestPath
        let version: String
        let headers: HTTPHeaders
        /// The time until the endpoint counts as absent; `nil` for an endpoint that must be there.
        let patience: Duration?
    }

    func read(for cloud: AzureCloud) async throws -> RenewedValue<AzureToken>.Reading {
        let endpoint = endpoint
        var client = RESTClient(
            transport: try transport(), baseURL: endpoint.url, headers: endpoint.headers,
            retries: Retries(
                limit: 2, repeatsApplied: true, shortestPause: .milliseconds(800), longestPause: .seconds(5),
                longestRetryAfter: .seconds(20)), sleep: sleep)
        client.reason = { answer in
            let json = try? JSONValue(parsing: answer.body)
            let text = json?["error_description"]?.stringValue ?? json?["message"]?.stringValue
            return ServiceReason(
                code: json?["error"]?.stringValue ?? "", message: text ?? ServiceReason(of: answer).message,
                // The service answers so while it starts or updates.
                isTransient: [404, 410].contains(answer.status) ? true : nil)
        }
        if endpoint.patience != nil { client.retries.limit = 0 }
        var query = [("api-version", endpoint.version), ("resource", cloud.resourceManager)]
        if let clientID { query.append(("client_id", clientID)) }
        let limit = endpoint.patience ?? .seconds(20)
        let request = RESTRequest(
            .get, endpoint.path, query: query.map { (name: $0.0, value: $0.1) },
            deadlines: Deadlines(connect: limit, firstByte: .seconds(20), idle: .seconds(20), whole: .seconds(40)),
            operation: "request a token of the managed identity")
        do {
            return try reading(of: try await client.json(request))
        } catch let failure as RequestFailure {
            if endpoint.patience != nil, failure.status == nil {
                throw SourceUnavailable("no answer from \(endpoint.url)")
            }
            guard let status = failure.status, !failure.isTransient else { throw failure }
            // A machine without an identity answers so.
            if status == 400 { throw SourceUnavailable("none here: \(failure.message.trimmedSentence)") }
            throw AzureCredentialError(
                "The managed identity is refused (\(status)): \(failure.message.trimmedSentence); assign an identity to "
                    + "the machine, or correct AZURE_CLIENT_ID")
        }
    }

    private var endpoint: Endpoint {
        if let url = environment["IDENTITY_ENDPOINT"], !url.isEmpty, let key = environment["IDENTITY_HEADER"],
            !key.isEmpty
        {
            let start = url.firstRange(of: "://").map { url[$0.upperBound...] }
            let slash = start?.firstIndex(of: "/") ?? url.endIndex
            return Endpoint(
                url: String(url[..<slash]),
                path: RequestPath(encoded: slash == url.endIndex ? "/" : String(url[slash...])),
                version: "2019-08-01", headers: ["X-IDENTITY-HEADER": key], patience: nil)
        }
        var host = environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] ?? ""
        while host.hasSuffix("/") { host.removeLast() }
        return Endpoint(
            url: host.isEmpty ? "http://169.254.169.254" : host, path: "/metadata/identity/oauth2/token",
            version: "2018-02-01", headers: ["Metadata": "true"], patience: .seconds(1))
    }
}
