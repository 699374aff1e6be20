import Foundation
import PrefectClient
import Subprocess
import Testing

private let url = ProcessInfo.processInfo.environment["PREFECT_API_URL"]

/// Runs the programs of the examples against the server that `PREFECT_API_URL` names.
@Suite("The programs that use the API", .enabled(if: url != nil), .timeLimit(.minutes(10)))
struct ClientExampleTests {
    private let client: APIClient
    private let name = "swift-example-\(UUID().uuidString.lowercased().prefix(13))"

    init() throws {
        client = try APIClient(settings: PrefectSettings.load())
    }

    /// The output of a program, which is beside the tests' own one.
    private func output(of program: String, _ arguments: String...) async throws -> String {
        let directory = Bundle.main.bundleURL
        let candidates = [directory, directory.deletingLastPathComponent()].map { $0.appending(path: program).path }
        let path = try #require(candidates.first { FileManager.default.isExecutableFile(atPath: $0) })
        let result = try await run(
            .path(.init(path)), arguments: Arguments(arguments), output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20))
        return result.standardOutput + result.standardError
    }

    @Test("the first run of the tutorial is completed")
    func first() async throws {
        let text = try await output(of: "first-run")
        #expect(text.contains("is Completed"), "\(text)")
    }

    @Test("the report names a failed run")
    func report() async throws {
        let failed = try await client.createFlowRun(ofFlow: name, name: name)
        _ = try await client.setFlowRunState(id: failed.id, StateCreate(type: .running))
        _ = try await client.setFlowRunState(id: failed.id, StateCreate(type: .failed, name: "Failed", message: "why"))
        let text = try await output(of: "report-failures", "10")
        try await client.deleteFlow(id: failed.flowID)
        #expect(text.contains("\(name): 1 failed") && text.contains("  \(name): why"), "\(text)")
    }

    @Test("the limit of a pool goes round a list")
    func rotate() async throws {
        _ = try await client.createWorkPool(WorkPoolCreate(name: name) { $0.type = "process" })
        var texts: [String] = []
        for _ in 0..<4 { texts.append(try await output(of: "rotate-limit", name, "5", "20", "none")) }
        try await client.deleteWorkPool(named: name)
        #expect(texts == ["none → 5", "5 → 20", "20 → none", "none → 5"].map { "\(name): \($0)\n" })
    }
}
