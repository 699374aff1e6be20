/// How a server is authenticated, and how this client authenticates itself.
public struct TLSConfiguration: Sendable, Hashable {
    /// The source of the trusted certificate authorities. Any value except `system` replaces the system's authorities.
    public enum Authorities: Sendable, Hashable {
        case system
        /// A file of PEM certificates.
        case file(String)
        /// PEM certificates in memory.
        case pem([UInt8])
    }

    /// The client's certificate chain with its private key.
    public enum ClientCertificate: Sendable, Hashable {
        /// Two PEM files.
        case files(certificate: String, key: String)
        /// PEM in memory, for credentials that are never on disk.
        case pem(certificate: [UInt8], key: [UInt8])
    }

    public var authorities: Authorities
    /// Whether to check the server's certificate and its host name.
    public var verifyPeer: Bool
    public var clientCertificate: ClientCertificate?
    /// The name sent as SNI and expected in the certificate, instead of the URL's host.
    public var serverName: String?

    public init(
        authorities: Authorities = .system,
        verifyPeer: Bool = true,
        clientCertificate: ClientCertificate? = nil,
        serverName: String? = nil
    ) {
        self.authorities = authorities
        self.verifyPeer = verifyPeer
        self.clientCertificate = clientCertificate
        self.serverName = serverName
    }
}
