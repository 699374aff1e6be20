internal import BackendKit
internal import FoundationEssentials
internal import HTTPTransport
internal import PrefectJSON

/// The location of a Docker Engine, according to the environment and Docker's own configuration.
///
/// `DOCKER_HOST` takes precedence, with `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`. Without it, the context that
/// `DOCKER_CONTEXT` or the configuration's `currentContext` names is used. Otherwise the location is the socket
/// `/var/run/docker.sock`. Podman's compatible socket is named in the same way.
struct EngineEndpoint: Sendable, Hashable {
    /// The way to reach an Engine.
    enum Address: Sendable, Hashable {
        /// A Unix socket of this host.
        case socket(path: String)
        /// TCP, with a host name or an address and its port.
        case tcp(authority: String)
    }

    /// The way to reach the Engine.
    let address: Address
    /// The TLS configuration for the Engine; `nil` without TLS.
    let tls: TLSConfiguration?

    /// The default socket, for an Engine that is not specified otherwise.
    static let standardSocket = "/var/run/docker.sock"

    /// The beginning of `infrastructure_pid`, in the form of the Python worker's client: `http+docker://localhost` for
    /// a socket, else the URL.
    var baseURL: String {
        switch address {
        case .socket: "http+docker://localhost"
        case .tcp(let authority): "\(tls == nil ? "http" : "https")://\(authority)"
        }
    }

    /// The beginning of the URL of every request.
    var requestURL: String {
        switch address {
        case .socket: "http://localhost"
        case .tcp: baseURL
        }
    }

    /// The path of the socket to connect to; `nil` for TCP.
    var socketPath: String? {
        if case .socket(let path) = address { path } else { nil }
    }

    /// The endpoint as `DOCKER_HOST` writes it, for messages.
    var description: String {
        switch address {
        case .socket(let path): "unix://\(path)"
        case .tcp(let authority): "tcp://\(authority)"
        }
    }

    /// Finds the endpoint that the environment names. Throws an `InfrastructureError` of the kind `refused`. Its
    /// single line names the unusable setting and the cause.
    init(environment: [String: String], files: DockerConfigurationDirectory) throws(InfrastructureError) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let host = value("DOCKER_HOST") {
            let directory = value("DOCKER_CERT_PATH")
            let verifies = value("DOCKER_TLS_VERIFY") != nil
            let usesTLS = verifies || directory != nil
            try self.init(
                host: host, named: "DOCKER_HOST",
                tls: usesTLS ? Self.tls(in: directory ?? files.path, verifies: verifies, files: files) : nil)
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
            // The path may lack its leading slash, so that two slashes after the scheme are enough.
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
                guard let number = Int(port), (1...65535).contains(number) else {
                    throw refusal("whose port is invalid")
                }
                address = .tcp(authority: String(authority))
            } else {
                address = .tcp(authority: "\(authority):\(tls == nil ? 2375 : 2376)")
            }
            self.tls = tls
        case "ssh":
            throw InfrastructureError(
                .refused,
                "\(name) is '\(host)', but the worker does not support ssh; forward the socket (ssh -NL "
                    + "/run/user/docker.sock:/var/run/docker.sock HOST) and set "
                    + "DOCKER_HOST=unix:///run/user/docker.sock"
            )
        default: throw refusal("which is not an Engine address on Linux")
        }
    }

    /// The TLS configuration with the certificate files that exist in a directory.
    private static func tls(in directory: String, verifies: Bool, files: DockerConfigurationDirectory)
        -> TLSConfiguration
    {
        func existing(_ name: String) -> String? {
            let path = "\(directory)/\(name)"
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
