internal import BackendKit
internal import FoundationEssentials
internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// The access tokens of one identity. A token is used until shortly before it expires, and is read again in advance.
package final class GoogleTokens: Sendable {
    package let credentials: GoogleCredentials
    let surroundings: GoogleSurroundings
    private let token: RenewedValue<String>
    private let metadataProject: RenewedValue<String>
    private let metadataAccount: RenewedValue<String>
    private let readProject = Mutex<String?>(nil)

    package init(_ credentials: GoogleCredentials, _ surroundings: GoogleSurroundings) {
        self.credentials = credentials
        self.surroundings = surroundings
        let exchange = TokenExchange(surroundings: surroundings, origin: credentials.origin)
        token = RenewedValue(margin: .seconds(60), advance: .seconds(240)) {
            try await exchange.token(credentials.source, searched: credentials.searched)
        }
        metadataProject = RenewedValue(margin: .zero) {
            RenewedValue.Reading(
                try await exchange.metadata("project/project-id", searched: credentials.searched), lifetime: nil)
        }
        metadataAccount = RenewedValue(margin: .zero) {
            RenewedValue.Reading(
                try await exchange.metadata(
                    "instance/service-accounts/default/email", searched: credentials.searched), lifetime: .seconds(3600)
            )
        }
    }

    /// A valid access token. Throws ``RemoteTaskError``, or `CancellationError`.
    ///
    /// - Parameter refused: A token that Google no longer accepts.
    package func current(insteadOf refused: String? = nil) async throws -> String {
        try await token.current { $0 == refused }
    }

    /// The project of the credentials.
    package func project() async throws -> String {
        if let project = credentials.project { return project }
        guard case .metadataServer = credentials.source else { throw Self.noProject(credentials) }
        let project = try await metadataProject.current()
        readProject.withLock { $0 = project }
        return project
    }

    /// The project, as far as it is known without a request.
    package var knownProject: String? { credentials.project ?? readProject.withLock { $0 } }

    /// The e-mail address of the service account; `nil` for a user.
    package func serviceAccount() async throws -> String? {
        if let known = credentials.serviceAccount { return known }
        guard case .metadataServer = credentials.source else { return nil }
        return try await metadataAccount.current()
    }

    private static func noProject(_ credentials: GoogleCredentials) -> RemoteTaskError {
        RemoteTaskError(
            .refused,
            "The \(credentials.origin) names no project: set 'project' of the block of credentials, or "
                + "GOOGLE_CLOUD_PROJECT in the worker's environment")
    }
}

/// Adds the token, and the project that pays for a user's requests.
struct GoogleSigner: RequestSigner {
    let token: String
    let quotaProject: String?

    func sign(_ request: inout RESTRequest, for baseURL: String) {
        request.headers["Authorization"] = "Bearer \(token)"
        if let quotaProject { request.headers["X-Goog-User-Project"] = quotaProject }
    }
}
