internal import HTTPTransport

/// How a cluster is reached, and as whom: what a kubeconfig's context comes to, or what a pod is given.
struct ClusterAccess: Sendable, Hashable {
    /// The API server's URL, without a slash at its end.
    var server: String
    /// How the API server is authenticated, with the client's certificate where the configuration holds one.
    var tls: TLSConfiguration
    /// The proxy that the configuration names; `nil` leaves it to the environment.
    var proxyURL: String?
    /// How the worker authenticates itself.
    var credentials: Credentials
    /// The namespace of those who name none.
    var namespace: String
    /// Where this comes from, for messages: "context 'lab' of /root/.kube/config".
    var origin: String

    /// How the worker authenticates itself, besides a client certificate.
    enum Credentials: Sendable, Hashable {
        case none
        case token(String)
        /// A file that somebody renews.
        case tokenFile(String)
        case basic(user: String, password: String)
        /// A program that hands out credentials.
        case plugin(CredentialPlugin)
    }
}

/// Why a cluster cannot be told from the configuration: one line with the file, the cause and the remedy.
struct ClusterConfigurationError: Error, Hashable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
