internal import FoundationEssentials
internal import JSON

/// Docker's own configuration: `DOCKER_CONFIG`, else `~/.docker`. What is not there or cannot be read is empty.
public struct DockerConfigurationFolder: Sendable {
    /// Where it is.
    public let path: String
    /// `config.json`.
    let configuration: JSONValue

    /// The folder that an environment names.
    public init(environment: [String: String]) {
        let named = environment["DOCKER_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        path = named ?? "\(environment["HOME"] ?? "/root")/.docker"
        let bytes = FileManager.default.contents(atPath: "\(path)/config.json").map { [UInt8]($0) }
        configuration = bytes.flatMap { try? JSONValue(parsing: $0) } ?? [:]
    }

    /// A file's bytes; `nil` when it cannot be read.
    func read(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map { [UInt8]($0) } }

    /// The variables for containers that the configuration's `proxies` say, those for an Engine's own address before the
    /// default ones, as Docker's clients hand them on.
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

    /// What a context says of its Engine.
    struct Context {
        let host: String?
        let skipsVerification: Bool
        /// The folder of its certificates.
        let certificates: String
        let hasCertificates: Bool
    }

    /// The context of a name, looked for by the name in its file: that of its folder is a hash.
    func context(named name: String) -> Context? {
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/contexts/meta")) ?? []
        for folder in folders {
            guard let bytes = read("\(path)/contexts/meta/\(folder)/meta.json"),
                let meta = try? JSONValue(parsing: bytes), meta["Name"]?.stringValue == name
            else { continue }
            let endpoint = meta["Endpoints"]?["docker"]
            let certificates = "\(path)/contexts/tls/\(folder)/docker"
            return Context(
                host: endpoint?["Host"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 },
                skipsVerification: endpoint?["SkipTLSVerify"]?.boolValue ?? false, certificates: certificates,
                hasCertificates: FileManager.default.fileExists(atPath: certificates))
        }
        return nil
    }
}
