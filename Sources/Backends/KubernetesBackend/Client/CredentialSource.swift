internal import Concurrency
internal import FoundationEssentials
internal import HTTPTransport
internal import JSON
internal import PrefectAPI

/// Provides the worker's credentials for a cluster. It reads renewed token files again, and runs plug-ins when their
/// credentials are about to expire. It does both when the cluster refuses the current credentials.
actor CredentialSource {
    /// The credentials of a request.
    struct Current: Sendable, Hashable {
        /// The value of `Authorization`.
        var authorization: String?
        /// A client certificate that replaces the configuration's.
        var certificate: TLSConfiguration.ClientCertificate?
    }

    private let credentials: ClusterAccess.Credentials
    private let environment: [String: String]
    private var kept: (current: Current, until: Timestamp)?
    private var isReading = false
    private let hasRead = AsyncSignal()

    init(_ credentials: ClusterAccess.Credentials, environment: [String: String]) {
        self.credentials = credentials
        self.environment = environment
    }

    /// Seconds after which token files are read again, as in Kubernetes' own clients.
    private static let fileLifetime = 60.0
    /// Seconds before its expiry at which a plug-in's credential is no longer used.
    private static let margin = 10.0

    /// The credentials to use now; `refused` are those that the cluster has just refused.
    func current(insteadOf refused: Current? = nil) async throws -> Current {
        switch credentials {
        case .none: return Current()
        case .token(let token): return Current(authorization: "Bearer \(token)")
        case .basic(let user, let password):
            return Current(authorization: "Basic \(Data("\(user):\(password)".utf8).base64EncodedString())")
        case .tokenFile, .plugin: break
        }
        while true {
            if let kept, kept.until > .now, kept.current != refused { return kept.current }
            if !isReading { break }
            await hasRead.wait()
            try Task.checkCancellation()
        }
        isReading = true
        defer {
            isReading = false
            hasRead.signal()
        }
        let fresh = try await read()
        kept = fresh
        return fresh.0
    }

    private func read() async throws -> (Current, Timestamp) {
        switch credentials {
        case .tokenFile(let path):
            guard let data = FileManager.default.contents(atPath: path) else {
                throw ClusterConfigurationError("The token file '\(path)' cannot be read; check its permissions")
            }
            let token = String(decoding: data, as: UTF8.self).filter { !$0.isWhitespace }
            guard !token.isEmpty else { throw ClusterConfigurationError("The token file '\(path)' is empty; renew it") }
            return (Current(authorization: "Bearer \(token)"), .now.adding(seconds: Self.fileLifetime))
        case .plugin(let plugin):
            let credential = try await plugin.run(environment: environment)
            let current = Current(
                authorization: credential.token.map { "Bearer \($0)" }, certificate: credential.certificate)
            return (current, credential.expiry?.adding(seconds: -Self.margin) ?? .latest)
        case .none, .token, .basic: return (Current(), .latest)
        }
    }
}
