internal import FoundationEssentials
internal import HTTPTransport
internal import Hashing
internal import Notation
internal import PrefectFiles
internal import PrefectJSON
internal import PrefectREST

/// Credentials of a single sign-on session that `aws sso login` has begun.
struct SSOCredentials: Sendable {
    let profile: AWSProfile
    let environment: [String: String]
    let transport: HTTPTransport

    private func value(_ key: String) -> String? {
        let found = profile.session?[key] ?? profile[key]
        return found?.isEmpty == false ? found : nil
    }

    private var remedy: String { "run 'aws sso login --profile \(profile.name)'" }

    /// The credentials; `nil` when the profile has no single sign-on.
    func read() async throws -> CredentialReading? {
        guard let start = value("sso_start_url") ?? profile["sso_session"] else { return nil }
        guard let region = value("sso_region"), let account = value("sso_account_id"), let role = value("sso_role_name")
        else {
            throw CredentialFailure(
                description:
                    "the profile '\(profile.name)' lacks sso_region, sso_account_id or sso_role_name; complete it")
        }
        let token = try await token(cachedFor: profile["sso_session"] ?? start, region)
        let endpoint = endpoints.configured(for: "SSO") ?? url("portal.sso", region)
        let client = RESTClient(transport: transport, baseURL: endpoint, retries: .reading)
        let request = RESTRequest(
            .get, "/federation/credentials",
            query: [(name: "role_name", value: role), (name: "account_id", value: account)],
            headers: ["x-amz-sso_bearer_token": token], operation: "sso:GetRoleCredentials")
        do {
            let keys = try await client.json(request)["roleCredentials"]
            guard let id = keys?["accessKeyId"]?.stringValue, let secret = keys?["secretAccessKey"]?.stringValue else {
                throw CredentialFailure(description: "the single sign-on of '\(profile.name)' gave no keys; \(remedy)")
            }
            let credentials = AWSCredentials(
                accessKeyID: id, secretAccessKey: secret, sessionToken: keys?["sessionToken"]?.stringValue)
            let expiry = keys?["expiration"]?.doubleValue.flatMap { milliseconds in
                Int(exactly: (milliseconds * 1000).rounded()).map { Timestamp(microseconds: $0) }
            }
            return CredentialReading(credentials, expiry: expiry, origin: "the single sign-on of '\(profile.name)'")
        } catch let failure as RequestFailure {
            throw CredentialFailure(
                description: "the single sign-on of '\(profile.name)' is refused: \(failure.message); \(remedy)",
                isTransient: failure.isTransient || failure.status == 401)
        }
    }

    private var endpoints: AWSEndpoints { AWSEndpoints(environment: environment, profile: profile) }

    private func url(_ service: String, _ region: String) -> String {
        "https://\(service).\(region).\(AWSPartition.of(region: region).suffix)"
    }

    // MARK: The session's token

    private func token(cachedFor name: String, _ region: String) async throws -> String {
        let directory = "\(environment["HOME"] ?? "")/.aws/sso/cache"
        let file = "\(hexadecimal(SHA1.digest(Array(name.utf8)))).json"
        let expired = CredentialFailure(
            description: "the single sign-on session of the profile '\(profile.name)' has expired; \(remedy)",
            isTransient: true)
        guard let bytes = RegularFile.read(file, below: directory, limit: 1 << 20),
            let cached = try? JSONValue(parsing: bytes), let token = cached["accessToken"]?.stringValue
        else { throw expired }
        let expiry = cached["expiresAt"]?.stringValue.flatMap { Timestamp($0) }
        if let expiry, expiry.seconds(since: .now) > 60 { return token }
        guard let refresh = cached["refreshToken"]?.stringValue, let id = cached["clientId"]?.stringValue,
            let secret = cached["clientSecret"]?.stringValue
        else { throw expired }
        let endpoint = endpoints.configured(for: "SSO_OIDC") ?? url("oidc", region)
        let request = RESTRequest(
            .post, "/token",
            body: .json([
                "clientId": .string(id), "clientSecret": .string(secret), "grantType": "refresh_token",
                "refreshToken": .string(refresh),
            ]), operation: "sso-oidc:CreateToken")
        let answer: JSONValue
        do {
            answer = try await RESTClient(transport: transport, baseURL: endpoint).json(request)
        } catch is RequestFailure {
            throw expired
        }
        guard let fresh = answer["accessToken"]?.stringValue else { throw expired }
        var renewed = cached
        renewed["accessToken"] = .string(fresh)
        renewed["expiresAt"] = .string(
            "\(Timestamp.now.adding(seconds: answer["expiresIn"]?.doubleValue ?? 3600).apiFormat.prefix(19))Z")
        if let next = answer["refreshToken"]?.stringValue { renewed["refreshToken"] = .string(next) }
        // Other programs share the file, and the earlier token for its renewal is void now.
        RegularFile.replace(file, below: directory, with: renewed.serializedBytes())
        return fresh
    }
}
