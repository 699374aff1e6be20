internal import FoundationEssentials
internal import HTTPTransport
internal import PrefectClient
internal import PrefectConcurrency
internal import PrefectJSON

/// Provides the worker's credentials for a cluster. It reads renewed token files again, and runs plug-ins when their
/// credentials are about to expire. It does both when the cluster refuses the current credentials.
struct CredentialSource: Sendable {
    /// The credentials of a request.
    struct Current: Sendable, Hashable {
        /// The value of `Authorization`.
        var authorization: String?
        /// A client certificate that replaces the configuration's.
        var certificate: TLSConfiguration.ClientCertificate?
    }

    private typealias Reading = RenewedValue<Current>.Reading

    private let credentials: RenewedValue<Current>

    init(_ credentials: ClusterAccess.Credentials, environment: [String: String]) {
        self.credentials = RenewedValue(margin: Self.margin) {
            try await Self.read(credentials, environment: environment)
        }
    }

    /// The time after which token files are read again, as in Kubernetes' own clients.
    private static let fileLifetime = Duration.seconds(60)
    /// The time before its expiry at which a plug-in's credential is no longer used.
    private static let margin = Duration.seconds(10)

    /// The credentials to use now; `refused` are those that the cluster has just refused.
    func current(insteadOf refused: Current? = nil) async throws -> Current {
        try await credentials.current(unless: { $0 == refused })
    }

    private static func read(
        _ credentials: ClusterAccess.Credentials, environment: [String: String]
    ) async throws -> Reading {
        switch credentials {
        case .none: return Reading(Current(), lifetime: nil)
        case .token(let token): return Reading(Current(authorization: "Bearer \(token)"), lifetime: nil)
        case .basic(let user, let password):
            let encoded = Data("\(user):\(password)".utf8).base64EncodedString()
            return Reading(Current(authorization: "Basic \(encoded)"), lifetime: nil)
        case .tokenFile(let path):
            guard let data = FileManager.default.contents(atPath: path) else {
                throw ClusterConfigurationError("The token file '\(path)' cannot be read; check its permissions")
            }
            let token = String(decoding: data, as: UTF8.self).filter { !$0.isWhitespace }
            guard !token.isEmpty else { throw ClusterConfigurationError("The token file '\(path)' is empty; renew it") }
            return Reading(Current(authorization: "Bearer \(token)"), lifetime: fileLifetime + margin)
        case .plugin(let plugin):
            let credential = try await plugin.run(environment: environment)
            let current = Current(
                authorization: credential.token.map { "Bearer \($0)" }, certificate: credential.certificate)
            return Reading(current, lifetime: credential.expiry.map { .seconds($0.seconds(since: .now)) })
        }
    }
}
