internal import FoundationEssentials
internal import PrefectJSON

/// Docker's own configuration directory: `DOCKER_CONFIG`, else `~/.docker`. A missing or unreadable file counts as
/// empty.
struct DockerConfigurationDirectory: Sendable {
    /// The path of the directory.
    let path: String
    /// The content of `config.json`.
    let configuration: JSONValue

    /// Reads the configuration from the directory that an environment names.
    init(environment: [String: String]) {
        let named = environment["DOCKER_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        path = named ?? "\(environment["HOME"] ?? "/root")/.docker"
        let bytes = FileManager.default.contents(atPath: "\(path)/config.json").map { [UInt8]($0) }
        configuration = bytes.flatMap { try? JSONValue(parsing: $0) } ?? [:]
    }

    /// A file's bytes; `nil` when the file cannot be read.
    func read(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map { [UInt8]($0) } }

    /// The variables for containers from the configuration's `proxies`. As in Docker's clients, the proxies for an
    /// Engine's own address take precedence over the default ones.
    func proxyVariables(for address: String) -> [(name: String, value: String)] {
        let proxies = configuration["proxies"]
        guard let chosen = proxies?[address] ?? proxies?["default"] else { return [] }
        let names = [
            ("httpProxy", "http_proxy"), ("httpsProxy", "https_proxy"), ("ftpProxy", "ftp_proxy"),
            ("noProxy", "no_proxy"),
        ]
        return names.flatMap { key, name -> [(name: String, value: String)] in
            guard let value = chosen[key]?.stringValue, !value.isEmpty else { return [] }
            return [(name, value), (name.uppercased(), value)]
        }
    }

    /// The settings of a context for its Engine.
    struct Context {
        let host: String?
        let skipsVerification: Bool
        /// The directory of the context's certificates.
        let certificates: String
        let hasCertificates: Bool
    }

    /// The context of a name. The name is looked up in the contexts' files, because their directories are named by a
    /// hash.
    func context(named name: String) -> Context? {
        let directories = (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/contexts/meta")) ?? []
        for directory in directories {
            guard let bytes = read("\(path)/contexts/meta/\(directory)/meta.json"),
                let meta = try? JSONValue(parsing: bytes), meta["Name"]?.stringValue == name
            else { continue }
            let endpoint = meta["Endpoints"]?["docker"]
            let certificates = "\(path)/contexts/tls/\(directory)/docker"
            return Context(
                host: endpoint?["Host"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 },
                skipsVerification: endpoint?["SkipTLSVerify"]?.boolValue ?? false, certificates: certificates,
                hasCertificates: FileManager.default.fileExists(atPath: certificates))
        }
        return nil
    }
}
