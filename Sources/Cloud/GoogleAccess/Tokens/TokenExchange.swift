internal import BackendKit
internal import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// The requests by which credentials become an access token.
struct TokenExchange: Sendable {
    let surroundings: GoogleSurroundings
    let origin: String

    typealias Reading = RenewedValue<String>.Reading

    private static let retries = Retries(
        limit: 3, repeatsApplied: true, shortestPause: .milliseconds(500), longestPause: .seconds(5))
    static let deadlines = Deadlines(
        connect: .seconds(15), firstByte: .seconds(30), idle: .seconds(30), whole: .seconds(60))

    /// A fresh token with its lifetime.
    func token(_ source: GoogleCredentials.Source, searched: [String]) async throws -> Reading {
        switch source {
        case .serviceAccount(let key): return try await token(key)
        case .authorizedUser(let user):
            return try await form(
                user.tokenURL,
                [
                    ("grant_type", "refresh_token"), ("client_id", user.clientID),
                    ("client_secret", user.clientSecret), ("refresh_token", user.refreshToken),
                ])
        case .externalAccount(let account): return try await token(account)
        case .impersonated(let impersonation, let base):
            return try await token(of: impersonation, by: try await token(base, searched: searched).value)
        case .metadataServer:
            let text = try await metadata("instance/service-accounts/default/token", searched: searched)
            guard let json = try? JSONValue(parsing: Array(text.utf8)) else {
                throw failure("the metadata server's answer is no JSON")
            }
            return try reading(json)
        }
    }

    private func token(_ key: ServiceAccountKey) async throws -> Reading {
        let assertion: String
        do {
            assertion = try key.assertion(
                issuedAt: Int(Date().timeIntervalSince1970.rounded(.down)), scope: GoogleURL.scope)
        } catch {
            throw failure("'private_key' is no RSA key in PEM; download a new key")
        }
        return try await form(
            key.tokenURL,
            [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)])
    }

    private func token(_ account: ExternalAccount) async throws -> Reading {
        let subject = try await subjectToken(account)
        var fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("audience", account.audience),
            ("scope", GoogleURL.scope),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"), ("subject_token", subject),
            ("subject_token_type", account.subjectTokenType),
        ]
        var headers: HTTPHeaders = [:]
        if let clientID = account.clientID {
            let pair = Data("\(clientID):\(account.clientSecret ?? "")".utf8).base64EncodedString()
            headers["Authorization"] = "Basic \(pair)"
        } else if let project = account.workforcePoolUserProject {
            fields.append(("options", JSONValue.object(["userProject": .string(project)]).serialized()))
        }
        let exchanged = try await form(account.tokenURL, fields, headers: headers)
        guard let impersonation = account.impersonation else { return exchanged }
        return try await token(of: impersonation, by: exchanged.value)
    }

    private func token(of impersonation: Impersonation, by token: String) async throws -> Reading {
        let body: JSONValue = [
            "delegates": .array(impersonation.delegates.map(JSONValue.string)), "scope": [.string(GoogleURL.scope)],
            "lifetime": .string("\(impersonation.lifetime)s"),
        ]
        let json = try await json(
            impersonation.url,
            RESTRequest(
                .post, RequestPath(encoded: ""), headers: ["Authorization": "Bearer \(token)"], body: .json(body),
                deadlines: Self.deadlines, operation: "Impersonating a service account"))
        guard let text = json["accessToken"]?.stringValue, !text.isEmpty else {
            throw failure("the answer to the impersonation has no token")
        }
        let expiry = json["expireTime"]?.stringValue.flatMap { Timestamp($0) }
        let seconds = expiry.map { $0.seconds(since: .now) } ?? Double(impersonation.lifetime)
        return Reading(text, lifetime: .seconds(min(max(seconds, 0), 86_400)))
    }

    // MARK: Requests

    private func form(
        _ url: String, _ fields: [(String, String)], headers: HTTPHeaders = [:]
    ) async throws -> Reading {
        let text = fields.map {
            "\(PercentEncoding.encodeInQuery($0.0))=\(PercentEncoding.encodeInQuery($0.1))"
        }.joined(separator: "&")
        return try reading(
            try await json(
                url,
                RESTRequest(
                    .post, RequestPath(encoded: ""), headers: headers,
                    body: .bytes(Array(text.utf8), type: "application/x-www-form-urlencoded"),
                    deadlines: Self.deadlines, operation: "Requesting a token")))
    }

    private func reading(_ json: JSONValue) throws -> Reading {
        guard let token = json["access_token"]?.stringValue, !token.isEmpty else {
            throw failure("the answer to the request for a token has none")
        }
        let seconds = json["expires_in"]?.doubleValue ?? json["expires_in"]?.stringValue.flatMap { Double($0) }
        return Reading(token, lifetime: .seconds(min(max(seconds ?? 3600, 0), 86_400)))
    }

    func json(_ url: String, _ request: RESTRequest) async throws -> JSONValue {
        do {
            return try await surroundings.client(of: url, retries: Self.retries).json(request)
        } catch let error as RequestFailure {
            throw refusal(error)
        }
    }

    func text(_ url: String, _ request: RESTRequest) async throws -> String {
        do {
            let answer = try await surroundings.client(of: url, retries: Self.retries).send(request)
            return String(decoding: answer.body, as: UTF8.self)
        } catch let error as RequestFailure {
            throw refusal(error)
        }
    }

    private func refusal(_ failure: RequestFailure) -> RemoteTaskError {
        if failure.isTransient {
            return RemoteTaskError(
                .unavailable(isUnapplied: true), "\(failure.description) (credentials of the \(origin))",
                retryAfter: failure.retryAfter)
        }
        return self.failure("\(failure.description); renew the credentials and check this machine's clock")
    }

    func failure(_ reason: String) -> RemoteTaskError {
        RemoteTaskError(.refused, "The credentials of the \(origin) give no access token: \(reason)")
    }

    /// A value of the metadata server. Without such a server, the error names all places that were searched.
    func metadata(_ path: String, searched: [String]) async throws -> String {
        let host =
            surroundings.variable("GCE_METADATA_HOST") ?? surroundings.variable("GCE_METADATA_ROOT")
            ?? "metadata.google.internal"
        var client = surroundings.client(of: "http://\(host)", retries: Self.retries)
        client.headers["Metadata-Flavor"] = "Google"
        let deadlines = Deadlines(
            connect: .seconds(3), firstByte: .seconds(10), idle: .seconds(10), whole: .seconds(20))
        let request = RESTRequest(
            .get, RequestPath(encoded: "/computeMetadata/v1/\(path)"), deadlines: deadlines,
            operation: "Reading the metadata server")
        do {
            return String(decoding: try await client.send(request).body, as: UTF8.self)
        } catch let error as RequestFailure {
            switch error.transportError?.kind {
            case .couldNotResolve?, .couldNotConnect?, .connectTimeout?:
                throw RemoteTaskError(
                    .refused,
                    GoogleCredentials.nothingFound(searched + ["no metadata server answers at '\(host)'"]).message)
            default: throw refusal(error)
            }
        }
    }
}
