internal import HTTPTransport

/// The address of a cluster and the worker's credentials for it, from a kubeconfig's context or a pod's service
/// account.
struct ClusterAccess: Sendable, Hashable {
    /// The API server's URL, without a slash at its end.
    var server: String
    /// The TLS configuration that authenticates the API server, with the client's certificate where the configuration
    /// holds one.
    var tls: TLSConfiguration
    /// The proxy that the configuration names; `nil` applies the proxy of the environment.
    var proxyURL: String?
    /// How the worker authenticates itself.
    var credentials: Credentials
    /// The namespace that applies where none is named.
    var namespace: String
    /// The origin of this access, for messages: "context 'lab' of /root/.kube/config".
    var origin: String

    /// How the worker authenticates itself, besides a client certificate.
    enum Credentials: Sendable, Hashable {
        case none
        case token(String)
        /// A file whose token is renewed from outside the worker.
        case tokenFile(String)
        case basic(user: String, password: String)
        /// A program that issues credentials.
        case plugin(CredentialPlugin)
    }
}

/// The reason why the configuration does not yield a cluster: one line with the file, the cause and the remedy.
struct ClusterConfigurationError: Error, Hashable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
