import Foundation
import TestSupport
import Testing

/// Every backend of this package passes the conformance suite against its real infrastructure. The suite is a program,
/// so that it can also run on the systemd machine.
@Suite("Conformance of the backends", .bounded)
struct ConformanceTests {
    @Test("the process backend conforms")
    func process() async throws {
        try await Conformance.expect("process", timeout: .seconds(240))
    }

    @Test("the Docker backend conforms with a real Engine", .requires(.docker), .dockerImages)
    func docker() async throws {
        try await Conformance.expect("docker", image: "busybox:lab", timeout: .seconds(300))
    }

    @Test("the Kubernetes backend conforms with a real cluster", .requires(.kubernetes), .oneOnCluster)
    func kubernetes() async throws {
        try await Conformance.expect("kubernetes", image: KubeBench.image, timeout: .seconds(600))
    }

    @Test("the systemd backend conforms with a real manager", .systemdMachine, .oneOnMachine)
    func systemd() async throws {
        let machine = try #require(SystemdMachine.current)
        let home = "/var/lib/conformance-\(UUID().uuidString.lowercased())"
        defer { try? FileManager.default.removeItem(atPath: machine.path(home)) }
        try await machine.install(Conformance.program, in: "\(home)/bin")
        try await machine.run("mkdir", "-m", "700", "\(home)/state")
        Conformance.expect(
            try await machine.outcome(
                ["env", "LD_LIBRARY_PATH=\(home)/bin", "\(home)/bin/backend-conformance", "systemd", "\(home)/state"],
                timeout: .seconds(300)))
    }
}
