internal import BackendKit
internal import PrefectJSON

/// Reads credentials in the JSON forms that Google's tools write.
struct CredentialFile {
    let json: JSONValue
    /// Where the JSON comes from, for messages.
    let origin: String
    /// Whether it may name programs, files and addresses that the worker then uses.
    let isTrusted: Bool

    func credentials() throws(InfrastructureError) -> GoogleCredentials {
        let universe = text("universe_domain") ?? GoogleCredentials.usualUniverse
        guard Self.isHost(universe) else {
            throw credentialsError("The 'universe_domain' of the \(origin) is no domain: correct it")
        }
        return GoogleCredentials(
            source: try source(json), origin: origin, project: text("project_id"),
            quotaProject: text("quota_project_id"), universe: universe)
    }

    private func text(_ key: String) -> String? {
        json[key]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
    }

    private func source(_ json: JSONValue) throws(InfrastructureError) -> GoogleCredentials.Source {
        let type = json["type"]?.stringValue ?? ""
        switch type {
        case "service_account": return .serviceAccount(try serviceAccount(json))
        case "authorized_user":
            return .authorizedUser(
                AuthorizedUser(
                    clientID: try required("client_id", json), clientSecret: try required("client_secret", json),
                    refreshToken: try required("refresh_token", json),
                    tokenURL: isTrusted ? json["token_uri"]?.stringValue ?? GoogleURL.token : GoogleURL.token))
        case "external_account", "external_account_authorized_user", "impersonated_service_account":
            guard isTrusted else {
                throw credentialsError(
                    "The \(origin) has credentials of the type '\(type)', which name programs, files or addresses of "
                        + "the worker's host: start the worker with --allow-host-credentials, or use a service account's key"
                )
            }
            return try trustedSource(json, type)
        case "":
            throw credentialsError(
                "The \(origin) has no 'type': it should be the JSON key of a service account or another file of gcloud")
        default:
            throw credentialsError(
                "The \(origin) has credentials of the unknown type '\(type)': use a service account's key, or the file "
                    + "that 'gcloud auth application-default login' writes")
        }
    }

    private func trustedSource(
        _ json: JSONValue, _ type: String
    ) throws(InfrastructureError) -> GoogleCredentials.Source {
        switch type {
        case "external_account": return .externalAccount(try ExternalAccount(json, origin: origin))
        case "external_account_authorized_user":
            return .authorizedUser(
                AuthorizedUser(
                    clientID: try required("client_id", json), clientSecret: try required("client_secret", json),
                    refreshToken: try required("refresh_token", json), tokenURL: try required("token_url", json)))
        default:
            guard let base = json["source_credentials"] else {
                throw credentialsError("The \(origin) has no 'source_credentials': create it again with gcloud")
            }
            return .impersonated(
                Impersonation(
                    url: try required("service_account_impersonation_url", json),
                    delegates: (json["delegates"]?.arrayValue ?? []).compactMap(\.stringValue), lifetime: 3600),
                by: try source(base))
        }
    }

    private func serviceAccount(_ json: JSONValue) throws(InfrastructureError) -> ServiceAccountKey {
        let tokenURL = try required("token_uri", json)
        // A job must not make the worker send requests to addresses of its own choice.
        guard isTrusted || Self.isOfGoogle(tokenURL) else {
            throw credentialsError(
                "The 'token_uri' of the \(origin) is no address of Google: download the key again, or start the worker with "
                    + "--allow-host-credentials")
        }
        return ServiceAccountKey(
            email: try required("client_email", json), keyID: json["private_key_id"]?.stringValue,
            privateKey: try required("private_key", json), tokenURL: tokenURL)
    }

    private static func isOfGoogle(_ url: String) -> Bool {
        guard url.hasPrefix("https://") else { return false }
        let host = url.dropFirst("https://".count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return isHost(host) && (host.hasSuffix(".googleapis.com") || host == "accounts.google.com")
    }

    private static func isHost(_ text: some StringProtocol) -> Bool {
        text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-") }
    }

    private func required(_ key: String, _ json: JSONValue) throws(InfrastructureError) -> String {
        guard let value = json[key]?.stringValue, !value.isEmpty else {
            throw credentialsError("The \(origin) has no '\(key)': create the credentials again, or correct the file")
        }
        return value
    }
}
