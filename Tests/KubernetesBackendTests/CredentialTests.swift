import Foundation
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@testable import KubernetesBackend

// Serialized, because a program cannot be run while another test's child still holds the descriptor that wrote it.
@Suite("Credentials", .serialized)
struct CredentialTests {
    private func plugin(_ directory: TemporaryDirectory, _ script: String) throws -> CredentialPlugin {
        try directory.write("plugin", "#!/bin/sh\n\(script)\n", mode: 0o755)
        return try CredentialPlugin(
            ["command": "./plugin", "env": [["name": "OWN", "value": "yes"]]], cluster: [:], directory: directory.path,
            origin: "context 'x'")
    }

    private static let path = ["PATH": "/usr/bin:/bin"]

    @Test("credentials of a plug-in are kept until they expire or are refused")
    func pluginCache() async throws {
        let directory = try TemporaryDirectory()
        // Each run of the plug-in returns another token.
        let plugin = try plugin(
            directory,
            """
            echo x >> \(directory.path)/runs
            n=$(wc -l < \(directory.path)/runs)
            [ "$n" = 3 ] && expiry=2001-01-01T00:00:00Z || expiry=2999-01-01T00:00:00Z
            echo '{"apiVersion": "v1", "kind": "ExecCredential", "status": {"token": "'$OWN-$n'", "expirationTimestamp": "'$expiry'"}}'
            """)
        let source = CredentialSource(.plugin(plugin), environment: Self.path)
        let first = try await source.current()
        #expect(first.authorization == "Bearer yes-1")
        #expect(try await source.current() == first)
        let second = try await source.current(insteadOf: first)
        #expect(second.authorization == "Bearer yes-2")
        // The third token has already expired when it arrives, so that the next call runs the plug-in again.
        #expect(try await source.current(insteadOf: second).authorization == "Bearer yes-3")
        #expect(try await source.current().authorization == "Bearer yes-4")
        // Concurrent calls share one run of the plug-in.
        let third = try await source.current()
        try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<8 { group.addTask { try await source.current(insteadOf: third).authorization } }
            for try await found in group { #expect(found == "Bearer yes-5") }
        }
    }

    @Test(
        "the error of a failing plug-in names the plug-in and the cause",
        arguments: [
            ("echo oops >&2; exit 3", "oops"), ("echo nothing", "has not written an ExecCredential"),
            (#"echo '{"kind": "ExecCredential", "status": {}}'"#, "neither a token nor a certificate"),
            (#"echo '{"kind": "ExecCredential", "status": {"clientCertificateData": "c"}}'"#, "without its key"),
        ])
    func pluginFailure(script: String, expected: String) async throws {
        let directory = try TemporaryDirectory()
        let plugin = try plugin(directory, script)
        let error = await #expect(throws: ClusterConfigurationError.self) {
            try await plugin.run(environment: Self.path)
        }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("plugin") == true)
        let missing = try CredentialPlugin(
            ["command": "no-such-plugin", "installHint": "install it"], cluster: [:], directory: "/", origin: "x")
        let hint = await #expect(throws: ClusterConfigurationError.self) {
            try await missing.run(environment: Self.path)
        }
        #expect(hint?.description.contains("install it") == true)
    }

    @Test("a token file is read again when the cluster refuses its token")
    func tokenFile() async throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("token", "one\n")
        let source = CredentialSource(.tokenFile(path), environment: [:])
        let first = try await source.current()
        #expect(first.authorization == "Bearer one")
        try directory.write("token", "two\n")
        #expect(try await source.current().authorization == "Bearer one")
        #expect(try await source.current(insteadOf: first).authorization == "Bearer two")
        try directory.write("token", "")
        let second = try await source.current()
        await #expect(throws: ClusterConfigurationError.self) { try await source.current(insteadOf: second) }
    }
}
