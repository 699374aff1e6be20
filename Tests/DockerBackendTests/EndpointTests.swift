import BackendKit
import Foundation
import HTTPTransport
import PrefectJSON
import TestSupport
import Testing

@testable import DockerBackend

@Suite("The address of the Engine")
struct EndpointTests {
    private static func endpoint(_ environment: [String: String]) throws -> EngineEndpoint {
        try EngineEndpoint(environment: environment, files: DockerConfigurationDirectory(environment: environment))
    }

    @Test(
        "DOCKER_HOST determines the address of the Engine and the form of identifiers",
        arguments: [
            ("unix:///run/docker.sock", "http+docker://localhost", "unix:///run/docker.sock"),
            ("tcp://h:2375", "http://h:2375", "tcp://h:2375"), ("tcp://h", "http://h:2375", "tcp://h:2375"),
            ("h:99", "http://h:99", "tcp://h:99"), ("tcp://[::1]:2375", "http://[::1]:2375", "tcp://[::1]:2375"),
            ("tcp://[::1]", "http://[::1]:2375", "tcp://[::1]:2375"),
            ("https://h", "https://h:2376", "tcp://h:2376"), ("http://h:1/", "http://h:1", "tcp://h:1"),
            ("", "http+docker://localhost", "unix:///var/run/docker.sock"),
        ])
    func hosts(host: String, base: String, description: String) throws {
        let endpoint = try Self.endpoint(["DOCKER_HOST": host, "HOME": "/nowhere"])
        #expect(endpoint.baseURL == base)
        #expect(endpoint.description == description)
    }

    @Test(
        "an invalid DOCKER_HOST is refused with the setting's name, and with a remedy for ssh",
        arguments: [
            "ssh://me@h", "npipe:////./pipe/docker", "unix://", "tcp://", "tcp://h:x", "fd://", "tcp://u:p@h:1",
        ])
    func refusals(host: String) throws {
        let error = #expect(throws: InfrastructureError.self) { try Self.endpoint(["DOCKER_HOST": host]) }
        #expect(error?.kind == .refused)
        #expect(error?.message.hasPrefix("DOCKER_HOST is '\(host)'") == true)
        if host.hasPrefix("ssh") { #expect(error?.message.contains("ssh -NL") == true) }
    }

    @Test("certificates are read from DOCKER_CERT_PATH, and DOCKER_TLS_VERIFY enables the verification of the server")
    func tls() throws {
        try withDirectory { directory in
            for name in ["ca.pem", "cert.pem", "key.pem"] {
                try Data("x".utf8).write(to: URL(filePath: "\(directory)/\(name)"))
            }
            let host = ["DOCKER_HOST": "tcp://h", "DOCKER_CERT_PATH": directory]
            let unchecked = try Self.endpoint(host)
            #expect(unchecked.tls?.verifyPeer == false && unchecked.baseURL == "https://h:2376")
            let checked = try Self.endpoint(host.merging(["DOCKER_TLS_VERIFY": "1"]) { $1 })
            #expect(checked.tls?.verifyPeer == true)
            #expect(checked.tls?.authorities == .file("\(directory)/ca.pem"))
            #expect(
                checked.tls?.clientCertificate
                    == .files(certificate: "\(directory)/cert.pem", key: "\(directory)/key.pem"))
        }
    }

    @Test("without DOCKER_HOST, the address comes from DOCKER_CONTEXT, or else from the current context")
    func contexts() throws {
        try withDirectory { directory in
            let meta = "\(directory)/contexts/meta/0123"
            try FileManager.default.createDirectory(atPath: meta, withIntermediateDirectories: true)
            try Data(#"{"Name":"far","Endpoints":{"docker":{"Host":"tcp://far:2376","SkipTLSVerify":false}}}"#.utf8)
                .write(to: URL(filePath: "\(meta)/meta.json"))
            let certificates = "\(directory)/contexts/tls/0123/docker"
            try FileManager.default.createDirectory(atPath: certificates, withIntermediateDirectories: true)
            try Data("x".utf8).write(to: URL(filePath: "\(certificates)/ca.pem"))
            try Data(#"{"currentContext":"far"}"#.utf8).write(to: URL(filePath: "\(directory)/config.json"))
            let far = try Self.endpoint(["DOCKER_CONFIG": directory])
            #expect(far.baseURL == "https://far:2376")
            #expect(far.tls?.authorities == .file("\(certificates)/ca.pem"))
            let named = try Self.endpoint(["DOCKER_CONFIG": directory, "DOCKER_CONTEXT": "default"])
            #expect(named.baseURL == "http+docker://localhost")
            let host = try Self.endpoint(["DOCKER_CONFIG": directory, "DOCKER_HOST": "unix:///x"])
            #expect(host.description == "unix:///x")
            let error = #expect(throws: InfrastructureError.self) {
                try Self.endpoint(["DOCKER_CONFIG": directory, "DOCKER_CONTEXT": "gone"])
            }
            #expect(error?.message.contains("'gone' does not exist") == true)
        }
    }

    @Test("proxies come from the configuration's entry for the Engine, or else from its default entry")
    func proxies() throws {
        try withDirectory { directory in
            let text =
                #"{"proxies":{"default":{"httpProxy":"http://p:1","noProxy":""},"http://h:1":{"noProxy":"*.x"}}}"#
            try Data(text.utf8).write(to: URL(filePath: "\(directory)/config.json"))
            let files = DockerConfigurationDirectory(environment: ["DOCKER_CONFIG": directory])
            let standard = files.proxyVariables(for: "http+docker://localhost")
            #expect(
                standard.map(\.name) == ["http_proxy", "HTTP_PROXY"] && standard.allSatisfy { $0.value == "http://p:1" }
            )
            #expect(files.proxyVariables(for: "http://h:1").map(\.name) == ["no_proxy", "NO_PROXY"])
            for (keywords, expected) in [([:], ["A=own", "B=proxy"]), (["use_config_proxy": false], ["A=own"])]
                as [(JSONValue, [String])]
            {
                let configuration = try DockerConfiguration(
                    rendered: ["image": "i", "env": ["A": "own"], "container_create_kwargs": keywords])
                let request = ContainerRequest(
                    configuration: configuration, marks: .init(owner: "o", claim: "c"), knowsHostGateway: false,
                    directory: "/", proxyVariables: [("A", "proxy"), ("B", "proxy")])
                #expect(request.body["Env"]?.arrayValue?.compactMap(\.stringValue) == expected)
            }
        }
    }

    @Test("any DOCKER_HOST is an address or refused")
    func anything() async throws {
        let pieces = ["unix://", "tcp://", "ssh://", "://", "/", "h", ":", "2375", "[", "]", "@", "\n", "é", " ", "-"]
        try await Fuzz.run(mostCases: 5000) { random in
            let host = random.text(of: pieces, upTo: 6)
            do {
                _ = try Self.endpoint(["DOCKER_HOST": host, "HOME": "/nowhere"])
            } catch let error as InfrastructureError {
                #expect(error.kind == .refused)
            }
        }
    }
}

/// Calls a body with a directory that is removed afterwards.
func withDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let directory = "/tmp/docker-backend-tests-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    return try body(directory)
}
