internal import FoundationEssentials
internal import HTTPTransport
internal import JSON
public import Worker

/// Where a Docker Engine is, as the environment and Docker's own configuration say it.
///
/// `DOCKER_HOST` decides, with `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`; without it the context that `DOCKER_CONTEXT` or
/// the configuration's `currentContext` names; else it is the socket `/var/run/docker.sock`. Podman's compatible socket
/// is named in the same way.
public struct EngineEndpoint: Sendable, Hashable {
    /// How it is reached.
    public enum Address: Sendable, Hashable {
        /// By a socket of this host.
        case socket(path: String)
        /// By TCP, under a name or an address with its port.
        case tcp(authority: String)
    }

    /// How it is reached.
    public let address: Address
    /// How it is authenticated; `nil` without TLS.
    let tls: TLSConfiguration?

    /// The socket of an Engine that nothing else is said about.
    static let standardSocket = "/var/run/docker.sock"

    /// The beginning of `infrastructure_pid`, in the form of the Python worker's client: `http+docker://localhost` for a
    /// socket, else the URL.
    public var baseURL: String {
        switch address {
        case .socket: "http+docker://localhost"
        case .tcp(let authority): "\(tls == nil ? "http" : "https")://\(authority)"
        }
    }

    /// What requests' URLs begin with.
    var requestURL: String {
        switch address {
        case .socket: "http://localhost"
        case .tcp: baseURL
        }
    }

    /// The socket to connect to, when there is one.
    var socketPath: String? {
        if case .socket(let path) = address { path } else { nil }
    }

    /// The endpoint as `DOCKER_HOST` writes it, for messages.
    public var description: String {
        switch address {
        case .socket(let path): "unix://\(path)"
        case .tcp(let authority): "tcp://\(authority)"
        }
    }

    /// The endpoint that the environment names. Throws an `InfrastructureError` of the kind `refused` with one line that
    /// says which setting cannot be used and why.
    public init(environment: [String: String], files: DockerConfigurationFolder) throws(InfrastructureError) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let host = value("DOCKER_HOST") {
            let folder = value("DOCKER_CERT_PATH")
            let verifies = value("DOCKER_TLS_VERIFY") != nil
            let usesTLS = verifies || folder != nil
            try self.init(
                host: host, named: "DOCKER_HOST",
                tls: usesTLS ? Self.tls(in: folder ?? files.path, verifies: verifies, files: files) : nil)
            return
        }
        let name = value("DOCKER_CONTEXT") ?? files.configuration["currentContext"]?.stringValue ?? "default"
        guard name != "default", !name.isEmpty else {
            try self.init(host: "unix://\(Self.standardSocket)", named: "The standard socket", tls: nil)
            return
        }
        guard let context = files.context(named: name), let host = context.host else {
            throw InfrastructureError(
                .refused,
                "The Docker context '\(name)' does not exist in \(files.path); create it, or set DOCKER_CONTEXT or "
                    + "DOCKER_HOST")
        }
        let verifies = !context.skipsVerification
        let usesTLS = context.hasCertificates || context.skipsVerification
        try self.init(
            host: host, named: "The Docker context '\(name)'",
            tls: usesTLS ? Self.tls(in: context.certificates, verifies: verifies, files: files) : nil)
    }

    private init(host: String, named name: String, tls: TLSConfiguration?) throws(InfrastructureError) {
        func refusal(_ problem: String) -> InfrastructureError {
            InfrastructureError(
                .refused,
                "\(name) is '\(host)', \(problem); name a socket as unix:///path or an Engine as tcp://host:port")
        }
        let parts = host.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let (scheme, rest) = parts.count == 2 ? (parts[0].lowercased(), parts[1]) : ("tcp", host)
        switch scheme {
        case "unix", "http+unix":
            // Two slashes are enough for a path that begins with one more.
            let path = rest.hasPrefix("/") ? rest : "/" + rest
            guard path != "/" else { throw refusal("which has no path") }
            address = .socket(path: path)
            self.tls = nil
        case "tcp", "http", "https":
            let authority = rest.prefix { $0 != "/" }
            guard !authority.isEmpty, !authority.contains("@") else { throw refusal("which has no host") }
            let tls = scheme == "https" ? tls ?? TLSConfiguration() : tls
            let portPart = authority.hasPrefix("[") ? authority.drop { $0 != "]" }.dropFirst() : authority[...]
            let port = portPart.lastIndex(of: ":").map { portPart[$0...].dropFirst() }
            if let port {
                guard let number = Int(port), (1...65535).contains(number) else { throw refusal("whose port is none") }
                address = .tcp(authority: String(authority))
            } else {
                address = .tcp(authority: "\(authority):\(tls == nil ? 2375 : 2376)")
            }
            self.tls = tls
        case "ssh":
            throw InfrastructureError(
                .refused,
                "\(name) is '\(host)', and Engines are not reached by ssh; forward the socket (ssh -NL "
                    + "/run/user/docker.sock:/var/run/docker.sock HOST) and set DOCKER_HOST=unix:///run/user/docker.sock"
            )
        default: throw refusal("which is no address of an Engine on Linux")
        }
    }

    /// The certificates of a folder, those of them that are there.
    private static func tls(in folder: String, verifies: Bool, files: DockerConfigurationFolder) -> TLSConfiguration {
        func existing(_ name: String) -> String? {
            let path = "\(folder)/\(name)"
            return files.read(path) == nil ? nil : path
        }
        var tls = TLSConfiguration(verifyPeer: verifies)
        if verifies, let authority = existing("ca.pem") { tls.authorities = .file(authority) }
        if let certificate = existing("cert.pem"), let key = existing("key.pem") {
            tls.clientCertificate = .files(certificate: certificate, key: key)
        }
        return tls
    }
}
