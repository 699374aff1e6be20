import Foundation
import TestSupport
import Testing

/// Every backend of this package passes the conformance suite against its real infrastructure. The suite is a program,
/// so that it can also run on the systemd machine.
@Suite("Conformance of the backends", .bounded)
struct ConformanceTests {
    /// The program beside the worker's.
    private static var program: String {
        URL(filePath: WorkerProgram.path).deletingLastPathComponent().appending(path: "backend-conformance").path
    }

    private func withDirectory(_ body: (String) async throws -> Void) async throws {
        let directory = "/tmp/conformance-\(UUID().uuidString.lowercased())"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await body(directory)
    }

    private func expectConformance(_ outcome: WorkerProgram.Outcome) {
        let failures = outcome.output.filter { !$0.hasPrefix("ok: ") } + outcome.errors
        #expect(outcome.status == .exited(0), "\(failures.joined(separator: "\n"))")
        #expect(outcome.output.count { $0.hasPrefix("ok: ") } == 17)
    }

    private func run(_ arguments: [String], timeout: Duration) async throws -> WorkerProgram.Outcome {
        try await withChildProcess(Self.program, arguments) { child in
            let status = try await child.waitForExit(timeout: timeout)
            return WorkerProgram.Outcome(status: status, output: child.output, errors: child.errors)
        }
    }

    /// Expects the conformance of the ecs backend. The faults of other tests would disturb it, so their suite calls it.
    func expectConformanceOfECS() async throws {
        try await withDirectory { directory in
            expectConformance(try await run(["ecs", directory, "busybox:lab"], timeout: .seconds(300)))
        }
    }

    @Test("the process backend conforms")
    func process() async throws {
        try await withDirectory { directory in
            expectConformance(try await run(["process", directory], timeout: .seconds(240)))
        }
    }

    @Test("the Docker backend conforms with a real Engine", .requires(.docker), .dockerImages)
    func docker() async throws {
        try await withDirectory { directory in
            expectConformance(try await run(["docker", directory, "busybox:lab"], timeout: .seconds(300)))
        }
    }

    @Test("the Kubernetes backend conforms with a real cluster", .requires(.kubernetes), .oneOnCluster)
    func kubernetes() async throws {
        try await withDirectory { directory in
            expectConformance(try await run(["kubernetes", directory, KubeBench.image], timeout: .seconds(600)))
        }
    }

    @Test("the systemd backend conforms with a real manager", .systemdMachine, .oneOnMachine)
    func systemd() async throws {
        let machine = try #require(SystemdMachine.current)
        let home = "/var/lib/conformance-\(UUID().uuidString.lowercased())"
        defer { try? FileManager.default.removeItem(atPath: machine.path(home)) }
        try await machine.install(Self.program, in: "\(home)/bin")
        try await machine.run("mkdir", "-m", "700", "\(home)/state")
        expectConformance(
            try await machine.outcome(
                ["env", "LD_LIBRARY_PATH=\(home)/bin", "\(home)/bin/backend-conformance", "systemd", "\(home)/state"],
                timeout: .seconds(300)))
    }
}
