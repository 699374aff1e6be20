import BackendKit
import Foundation
import TestSupport
import Testing

@testable import DockerBackend

@Suite("An Engine behind TLS", .enabled("needs openssl") { hasOpenSSL() })
struct TLSTests {
    private static func openssl(_ arguments: [String], in directory: String) async throws {
        try await withChildProcess("openssl", arguments, workingDirectory: directory) { program in
            let status = try await program.waitForExit(timeout: .seconds(60))
            #expect(status == .exited(0), "\(program.summary)")
        }
    }

    /// Creates the certificates of an authority, an Engine and a client, under the names that Docker uses.
    private static func makeCertificates(in directory: String) async throws {
        for (name, extensions, signed) in [
            ("ca", [], false), ("server", ["subjectAltName=IP:127.0.0.1"], true), ("client", [], true),
        ] as [(String, [String], Bool)] {
            var arguments = [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=\(name)", "-keyout", "\(name).key", "-out", "\(name).pem",
            ]
            for text in extensions { arguments += ["-addext", text] }
            if signed { arguments += ["-CA", "ca.pem", "-CAkey", "ca.key"] }
            try await openssl(arguments, in: directory)
        }
        try FileManager.default.moveItem(atPath: "\(directory)/client.pem", toPath: "\(directory)/cert.pem")
        try FileManager.default.moveItem(atPath: "\(directory)/client.key", toPath: "\(directory)/key.pem")
        let answer = #"{"ApiVersion":"1.41","Version":"20.10.24"}"#
        try Data("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n\(answer)".utf8)
            .write(to: URL(filePath: "\(directory)/version"))
    }

    @Test("the client's certificate is presented to the Engine, and the Engine's certificate is verified")
    func checked() async throws {
        try await withTemporaryDirectory { directory in
            try await Self.makeCertificates(in: directory)
            let server = [
                "s_server", "-accept", "127.0.0.1:0", "-HTTP", "-cert", "server.pem", "-key", "server.key", "-Verify",
                "1",
                "-verify_return_error", "-CAfile", "ca.pem",
            ]
            try await withChildProcess("openssl", server, workingDirectory: directory) { engine in
                let line = try await engine.waitForLine(containing: "ACCEPT")
                let port = try #require(line.split(separator: ":").last)
                func report(_ directory: String?) async throws -> BackendReport {
                    var environment = [
                        "DOCKER_HOST": "tcp://127.0.0.1:\(port)", "DOCKER_TLS_VERIFY": "1", "HOME": "/nowhere",
                    ]
                    environment["DOCKER_CERT_PATH"] = directory
                    return await (try DockerBackend(options: .init(environment: environment))).check()
                }
                let good = try await report(directory)
                #expect(good.isUsable, "\(good.findings)")
                #expect(good.findings.first?.detail.contains("20.10.24") == true)
                let bad = try await report(nil)
                #expect(!bad.isUsable && bad.findings.first?.detail.contains("certificate") == true, "\(bad.findings)")
            }
        }
    }
}

private func hasOpenSSL() -> Bool {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    return path.split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/openssl") }
}
