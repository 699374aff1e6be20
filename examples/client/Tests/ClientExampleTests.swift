import Foundation
import PrefectClient
import Subprocess
import Testing

private let url = ProcessInfo.processInfo.environment["PREFECT_API_URL"]

/// Runs the programs of the examples against the server that `PREFECT_API_URL` names.
@Suite(
    "The programs that use the API",
    .enabled(if: url != nil, "needs a Prefect server whose URL is in PREFECT_API_URL"), .timeLimit(.minutes(10)))
struct ClientExampleTests {
    private let client: APIClient
    private let name = "swift-example-\(UUID().uuidString.lowercased().prefix(13))"

    init() throws {
        client = try APIClient(settings: PrefectSettings.load())
    }

    /// The path of a program, which is beside the tests' own one.
    private func path(of program: String) throws -> String {
        let directory = Bundle.main.bundleURL
        let candidates = [directory, directory.deletingLastPathComponent()].map { $0.appending(path: program).path }
        return try #require(candidates.first { FileManager.default.isExecutableFile(atPath: $0) })
    }

    /// The output of a program.
    private func output(of program: String, _ arguments: String...) async throws -> String {
        let result = try await run(
            .path(.init(path(of: program))), arguments: Arguments(arguments), output: .string(limit: 1 << 20),
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

    @Test("a deployment is triggered, and the logs of its run are printed until it is completed")
    func trigger() async throws {
        _ = try await client.createWorkPool(WorkPoolCreate(name: name) { $0.type = "process" })
        let flow = try await client.createFlow(named: name)
        _ = try await client.createDeployment(
            DeploymentCreate(name: "hello", flowID: flow) {
                $0.workPoolName = name
                $0.path = URL(filePath: #filePath).appending(path: "../../../quickstart").standardized.path
                $0.entrypoint = "hello.py:hello"
                $0.parameters = ["name": "trigger"]
            })
        let text = try await withWorker(ofPool: name) {
            try await output(of: "trigger-deployment", "\(name)/hello")
        }
        try await client.deleteFlow(id: flow)
        try await client.deleteWorkPool(named: name)
        let lines = text.split(separator: "\n")
        #expect(lines.first?.hasSuffix(" is Scheduled") == true, "\(text)")
        #expect(lines.contains("HELLO, TRIGGER!"), "\(text)")
        #expect(lines.last?.hasSuffix(" is Completed") == true, "\(text)")
    }

    /// The result of `body`, during which a worker serves a pool. A worker that ends earlier is a failure.
    private func withWorker(
        ofPool pool: String, _ body: @escaping @Sendable () async throws -> String
    ) async throws -> String {
        let worker = try path(of: "prefect-worker")
        let state = FileManager.default.temporaryDirectory.appending(path: pool)
        try FileManager.default.createDirectory(at: state, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: state) }
        return try await withThrowingTaskGroup(of: String.self) { group in
            group.addTask {
                var options = PlatformOptions()
                options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(30))]
                let ended = try await run(
                    .path(.init(worker)), arguments: ["start", "--pool", .init(pool), "--name", .init(pool)],
                    environment: .inherit.updating([
                        "STATE_DIRECTORY": state.path, "PREFECT_WORKER_QUERY_SECONDS": "1",
                    ]), platformOptions: options, output: .discarded, error: .string(limit: 1 << 20))
                return "the worker ended: \(ended.standardError)"
            }
            group.addTask(operation: body)
            defer { group.cancelAll() }
            return try #require(await group.next())
        }
    }
}
