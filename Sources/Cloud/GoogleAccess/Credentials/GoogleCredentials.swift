internal import BackendKit
package import PrefectJSON

/// Credentials for Google Cloud, as they were configured. Reading them sends no request.
package struct GoogleCredentials: Sendable, Hashable {
    /// The way in which an access token is obtained.
    package indirect enum Source: Sendable, Hashable {
        /// The key of a service account signs an assertion.
        case serviceAccount(ServiceAccountKey)
        /// The refresh token of a user.
        case authorizedUser(AuthorizedUser)
        /// A token of another identity provider is exchanged.
        case externalAccount(ExternalAccount)
        /// One identity takes the place of a service account.
        case impersonated(Impersonation, by: Source)
        /// The metadata server of the machine.
        case metadataServer
    }

    /// The way in which an access token is obtained.
    package let source: Source
    /// Where the credentials come from, for people.
    package let origin: String
    /// The project; `nil` when only the metadata server knows it.
    package var project: String?
    /// The project that pays for the requests of a user.
    package var quotaProject: String?
    /// The domain of Google's services.
    package var universe: String
    /// The places that were searched without success.
    package var searched: [String]

    package init(
        source: Source, origin: String, project: String? = nil, quotaProject: String? = nil,
        universe: String = GoogleCredentials.usualUniverse, searched: [String] = []
    ) {
        self.source = source
        self.origin = origin
        self.project = project
        self.quotaProject = quotaProject
        self.universe = universe
        self.searched = searched
    }

    /// The domain of Google's public cloud.
    package static let usualUniverse = "googleapis.com"

    /// The e-mail address of the service account; `nil` for a user, and where only the metadata server knows it.
    package var serviceAccount: String? {
        switch source {
        case .serviceAccount(let key): key.email
        case .impersonated(let impersonation, _): impersonation.serviceAccount
        case .externalAccount(let account): account.impersonation?.serviceAccount
        case .authorizedUser, .metadataServer: nil
        }
    }

    /// The identity for messages.
    package var identity: String {
        if let serviceAccount { return serviceAccount }
        return switch source {
        case .authorizedUser: "the user of the \(origin)"
        case .externalAccount: "the external account of the \(origin)"
        default: "the service account of this machine"
        }
    }
}

/// A user's refresh token.
package struct AuthorizedUser: Sendable, Hashable {
    package let clientID: String
    package let clientSecret: String
    package let refreshToken: String
    /// The URL that exchanges the refresh token.
    package let tokenURL: String
}

/// A request for a token of another service account.
package struct Impersonation: Sendable, Hashable {
    /// The URL that ends with `:generateAccessToken`.
    package let url: String
    /// The accounts between the identity and the service account.
    package let delegates: [String]
    /// The validity of the token in seconds.
    package let lifetime: Int

    /// The e-mail address in the URL; `nil` when it has none.
    package var serviceAccount: String? {
        guard let end = url.range(of: ":generateAccessToken", backwards: true),
            let slash = url[..<end.lowerBound].lastIndex(of: "/")
        else { return nil }
        let email = url[url.index(after: slash)..<end.lowerBound]
        return email.isEmpty ? nil : String(email)
    }
}

extension String {
    fileprivate func range(of text: String, backwards: Bool) -> Range<Index>? {
        ranges(of: text).last
    }
}

/// An error of credentials: one line with the origin, the cause and the remedy.
func credentialsError(_ message: String) -> InfrastructureError { InfrastructureError(.refused, message) }

extension GoogleCredentials {
    /// The block of a job as `prefect-worker render` prints it, with the project and without the key.
    package func shown(block: JSONValue?) -> JSONValue {
        var shown: JSONValue = [
            "service_account_file": block?["service_account_file"] ?? .null,
            "service_account_info": block?["service_account_info"] ?? .null, "project": JSONValue(project),
        ]
        if let key = shown["service_account_info"], !key.isNull { shown["service_account_info"] = "********" }
        return shown
    }
}
