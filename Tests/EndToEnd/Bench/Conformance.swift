import Foundation
import TestSupport
import Testing

/// The conformance suite as a program, and the expectation that a backend passes it.
enum Conformance {
    /// The program beside the worker's.
    static var program: String {
        URL(filePath: WorkerProgram.path).deletingLastPathComponent().appending(path: "backend-conformance").path
    }

    /// Runs the suite for a type of pool, and expects that all cases pass.
    static func expect(_ type: String, image: String? = nil, timeout: Duration) async throws {
        let directory = "/tmp/conformance-\(UUID().uuidString.lowercased())"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        expect(
            try await withChildProcess(program, [type, directory] + (image.map { [$0] } ?? [])) { child in
                let status = try await child.waitForExit(timeout: timeout)
                return WorkerProgram.Outcome(status: status, output: child.output, errors: child.errors)
            })
    }

    /// Expects that all cases have passed.
    static func expect(_ outcome: WorkerProgram.Outcome) {
        // The first line of a failed expectation has its values, so the failed cases are one of them.
        #expect(outcome.output.filter { !$0.hasPrefix("ok: ") } + outcome.errors == [])
        #expect(outcome.output.count { $0.hasPrefix("ok: ") } == 18)
        #expect(outcome.status == .exited(0))
    }
}
