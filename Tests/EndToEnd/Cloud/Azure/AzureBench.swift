import Foundation
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

/// A pool of the type `azure-container-instance` on the real server. Its container groups run in a stand-in of Azure,
/// which really starts their containers.
///
/// `LAB_CLOUD` is the stand-in's URL, and `LAB_CLOUD_MOUNT` a directory that all of its containers see.
struct AzureBench: Sendable {
    let bench: TestBench
    /// A directory that the containers see at the same path.
    let shared: String
    private let standIn: PrefectServerClient
    private let place: JSONValue

    init(_ bench: TestBench) throws {
        self.bench = bench
        let environment = ProcessInfo.processInfo.environment
        let mount = environment["LAB_CLOUD_MOUNT"] ?? "/tmp/harness-flows"
        shared = "\(mount)/\(bench.pool)"
        standIn = try PrefectServerClient(url: environment["LAB_CLOUD"] ?? "")
        place = [
            "resource_group_name": JSONValue(environment["LAB_AZURE_GROUP"]),
            "subscription_id": JSONValue(environment["LAB_AZURE_SUBSCRIPTION"]), "entrypoint": nil,
        ]
        try FileManager.default.createDirectory(atPath: "\(shared)/code", withIntermediateDirectories: true)
        try TestFile.write(FlowSource.text, to: "\(shared)/code/flows.py")
    }

    static let variables = [
        "LAB_CLOUD", "LAB_AZURE_GROUP", "LAB_AZURE_SUBSCRIPTION", "AZURE_TENANT_ID", "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET", "HTTPS_PROXY", "SSL_CERT_FILE",
    ]

    /// The type of the pool.
    static let type = "azure-container-instance"

    /// The environment of a worker.
    func environment(_ others: [String: String] = [:]) -> [String: String] {
        let own = ProcessInfo.processInfo.environment
        let azure = (Self.variables + ["NO_PROXY", "REQUESTS_CA_BUNDLE"]).compactMap { name in
            own[name].map { (name, $0) }
        }
        return bench.environment(Dictionary(azure) { $1 }.merging(others) { $1 })
    }

    // MARK: Runs

    /// Deploys a function of ``FlowSource``.
    func deploy(_ function: String) async throws -> String {
        try await bench.server.createDeployment(
            name: "\(function)-\(TestBench.unique())", flow: bench.flow, pool: bench.pool,
            entrypoint: "flows.py:\(function)", path: "\(shared)/code",
            jobVariables: merged(["image": "prefect:lab"]), others: ["parameters": ["notes": .string(shared)]])
    }

    /// Deploys a shell script.
    func deploy(script: String, _ jobVariables: JSONValue = [:]) async throws -> String {
        var variables = merged(["image": "busybox:lab", "env": ["OUT": .string(shared)]])
        for (key, value) in jobVariables.objectValue ?? [:] { variables[key] = value }
        return try await bench.deploy(
            command: "sh -c '\(script.replacing("'", with: "'\"'\"'"))'", jobVariables: variables)
    }

    /// Creates a run of a shell script.
    func run(_ script: String, _ jobVariables: JSONValue = [:]) async throws -> String {
        try await bench.server.createRun(deployment: deploy(script: script, jobVariables))
    }

    private func merged(_ variables: JSONValue) -> JSONValue {
        var result = place
        for (key, value) in variables.objectValue ?? [:] { result[key] = value }
        return result
    }

    /// Waits until a run has crashed, and returns the message of its state.
    func crash(of run: String, within timeout: Duration = .seconds(90)) async throws -> String {
        let end = try await bench.server.waitForRun(run, toBe: ["Crashed", "Completed", "Failed"], within: timeout)
        #expect(end["state_name"] == "Crashed")
        return end["state"]?["message"]?.stringValue ?? ""
    }

    func notes(_ name: String) -> [String] {
        guard let data = try? Data(contentsOf: URL(filePath: "\(shared)/\(name)")) else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Runs a worker while `body` runs.
    func withWorker<Result>(
        name: String = "bench", _ others: [String] = [], variables: [String: String] = [:],
        isolation: isolated (any Actor)? = #isolation, _ body: (ChildProcess) async throws -> Result
    ) async throws -> Result {
        try await bench.withWorker(name: name, others, variables: environment(variables), body)
    }

    /// Starts a worker, kills it after a time, and waits for its end.
    func killWorker(after time: Duration, name: String = "bench", _ others: [String] = []) async throws {
        try await withChildProcess(
            WorkerProgram.path, bench.arguments(name: name, others),
            environment: environment(["PREFECT_WORKER_QUERY_SECONDS": "0.2"]), workingDirectory: bench.directory
        ) { worker in
            _ = try? await worker.waitForExit(timeout: time)
            worker.send(.kill)
            _ = try await worker.waitForExit()
        }
    }

    // MARK: The stand-in

    /// The beginning of the names of all container groups and deployments of the bench.
    var prefix: String { bench.flowName }

    /// Makes the next requests that match fail.
    func fail(_ match: String, times: Int = 1, status: Int, code: String, isLate: Bool = false) async throws {
        try await standIn.call(
            "POST", "/_lab/faults",
            [
                "match": .string(match), "times": .int(times), "status": .int(status), "after": .bool(isLate),
                "body": ["error": ["code": .string(code), "message": "a fault of the test"]],
            ])
    }

    /// The names of the containers that were started for runs, in their order.
    func containers(of runs: some Sequence<String>) async throws -> [String] {
        let runs = Set(runs)
        return try await standIn.call("GET", "/_lab/containers").arrayValue?.compactMap { entry in
            guard let run = entry["flow_run"]?.stringValue, runs.contains(run) else { return nil }
            return entry["name"]?.stringValue
        } ?? []
    }

    /// The requests for a run's group and deployment, as method and path.
    func requests(of run: String) async throws -> [String] {
        try await standIn.call("GET", "/_lab/calls").arrayValue?.compactMap { entry in
            guard let path = entry["path"]?.stringValue, path.contains(run) else { return nil }
            return "\(entry["method"]?.stringValue ?? "") \(path)"
        } ?? []
    }

    /// Waits until none of the containers exists any more.
    func waitForRemoval(of containers: [String], within limit: Duration = .seconds(60)) async throws {
        try await eventually(within: limit, "no container remains", every: .milliseconds(500)) {
            let left = try await DockerBench.docker(["ps", "-a", "--format", "{{.Names}}"])
            return Set(left).isDisjoint(with: containers)
        }
    }
}

/// Runs `body` with a new pool. Everything is removed afterwards.
func withAzureBench<Result>(
    on server: PrefectServerClient? = nil, isolation: isolated (any Actor)? = #isolation,
    _ body: (AzureBench) async throws -> Result
) async throws -> Result {
    try await withTestBench(on: server, createsPool: false) { bench in
        try await bench.server.createPool(name: bench.pool, type: AzureBench.type)
        let azure = try AzureBench(bench)
        defer { try? FileManager.default.removeItem(atPath: azure.shared) }
        return try await body(azure)
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, unless the environment names a stand-in of Azure.
    static var azure: Self {
        .enabled("needs a stand-in of Azure at LAB_CLOUD, with AZURE_CLIENT_ID and the images of the runs") {
            let environment = ProcessInfo.processInfo.environment
            guard AzureBench.variables.allSatisfy({ environment[$0]?.isEmpty == false }) else { return false }
            guard await Engine.docker.isAvailable else { return false }
            return (try? await DockerBench.docker(["image", "inspect", "prefect:lab", "busybox:lab"])) != nil
        }
    }
}
