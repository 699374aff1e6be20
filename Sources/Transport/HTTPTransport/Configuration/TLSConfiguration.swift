/// How a server is authenticated, and how this client authenticates itself.
package struct TLSConfiguration: Sendable, Hashable {
    /// The source of the trusted certificate authorities. Any value except `system` replaces the system's authorities.
    package enum Authorities: Sendable, Hashable {
        case system
        /// A file of PEM certificates.
        case file(String)
        /// PEM certificates in memory.
        case pem([UInt8])
    }

    /// The client's certificate chain with its private key.
    package enum ClientCertificate: Sendable, Hashable {
        /// Two PEM files.
        case files(certificate: String, key: String)
        /// PEM in memory, for credentials that are never on disk.
        case pem(certificate: [UInt8], key: [UInt8])
    }

    package var authorities: Authorities
    /// Whether to check the server's certificate and its host name.
    package var verifyPeer: Bool
    package var clientCertificate: ClientCertificate?
    /// The name sent as SNI and expected in the certificate, instead of the URL's host.
    package var serverName: String?

    package init(
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
