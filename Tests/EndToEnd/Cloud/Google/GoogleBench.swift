import Foundation
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

/// A pool of a type on Google Cloud, on the real server and the stand-in at `LAB_CLOUD`. Each bench has a region of its
/// own, so that the faults of one test do not concern another.
struct GoogleBench: Sendable {
    let bench: TestBench
    let type: String
    let region: String
    /// A directory that the containers of jobs see under the same path.
    let shared: String
    /// The project for all requests of the bench; `nil` for the one of the environment. Paths of version 1 of Cloud Run
    /// have no region, so faults of a test need a project that no other test uses.
    let project: String?

    /// The address of the stand-in.
    static var stand: String? { ProcessInfo.processInfo.environment["LAB_CLOUD"].flatMap { $0.isEmpty ? nil : $0 } }

    /// The number of the project that the environment names, as the stand-in has it. It names the same project.
    static var projectNumber: String {
        ProcessInfo.processInfo.environment["LAB_GOOGLE_PROJECT_NUMBER"] ?? "123456789"
    }

    private static let passed = [
        "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CLOUD_PROJECT", "REQUESTS_CA_BUNDLE", "HTTPLIB2_CA_CERTS", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    ]

    /// The environment of a worker that uses the stand-in.
    func environment(_ others: [String: String] = [:]) -> [String: String] {
        var own = ProcessInfo.processInfo.environment.filter { Self.passed.contains($0.key) }
        if let project { own["GOOGLE_CLOUD_PROJECT"] = project }
        return own.merging(others) { $1 }
    }

    /// Runs a worker on the pool while `body` runs.
    func withWorker<Result>(
        name: String = "bench", _ others: [String] = [], variables: [String: String] = [:],
        isolation: isolated (any Actor)? = #isolation, _ body: (ChildProcess) async throws -> Result
    ) async throws -> Result {
        try await bench.withWorker(name: name, ["--type", type] + others, variables: environment(variables), body)
    }

    private func variables(_ others: JSONValue) -> JSONValue {
        var variables: JSONValue = ["image": "prefect:lab", "region": .string(region)]
        for (key, value) in others.objectValue ?? [:] { variables[key] = value }
        return variables
    }

    /// Creates a run of a function of ``FlowSource``.
    func flow(_ function: String, parameters: JSONValue = [:]) async throws -> String {
        let deployment = try await bench.server.createDeployment(
            name: "\(function)-\(TestBench.unique())", flow: bench.flow, pool: bench.pool,
            entrypoint: "flows.py:\(function)", path: "\(shared)/code", jobVariables: variables([:]),
            others: ["parameters": ["notes": .string(shared)]])
        return try await bench.server.createRun(deployment: deployment, parameters: parameters)
    }

    /// Deploys the short program of ``FlowSource``, which notes its begin and its end.
    func deployQuickRun(_ seconds: String) async throws -> String {
        try await bench.deploy(
            command: "python \(shared)/quick.py \(shared)/runs \(seconds)", jobVariables: variables([:]))
    }

    /// Creates a run of a shell script in a small image.
    func shell(_ script: String, jobVariables: JSONValue = [:], name: String? = nil) async throws -> String {
        var own: JSONValue = ["image": "busybox:lab"]
        for (key, value) in jobVariables.objectValue ?? [:] { own[key] = value }
        let command = "sh -c '\(script.replacing("'", with: "'\"'\"'"))'"
        return try await bench.server.createRun(
            deployment: bench.deploy(command: command, jobVariables: variables(own)), name: name)
    }

    /// The lines of a file of the flows.
    func notes(_ name: String) -> [String] {
        guard let data = FileManager.default.contents(atPath: "\(shared)/\(name)") else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Waits until a run has crashed, and returns the message of its state.
    func crash(of run: String) async throws -> String {
        let state = try await bench.server.waitForRun(
            run, toBe: ["Crashed", "Completed", "Failed"], within: .seconds(90))
        #expect(state["state_name"] == "Crashed")
        return state["state"]?["message"]?.stringValue ?? ""
    }

    /// Makes the next requests that match fail. Each pattern has a region, a project or a name that only this bench uses.
    func fail(_ request: String, times: Int, status: Int, isCarriedOut: Bool = false) async throws {
        let code = status == 429 ? "RESOURCE_EXHAUSTED" : "UNAVAILABLE"
        let fault: JSONValue = [
            "match": .string(request), "times": .int(times), "status": .int(status), "after": .bool(isCarriedOut),
            "body": ["error": ["code": .int(status), "message": "Quota exceeded, or away", "status": .string(code)]],
        ]
        try await Self.lab("POST", "/_lab/faults", fault)
    }

    /// The containers that the stand-in has started for a run.
    func containers(of run: String) async throws -> Int {
        try await containerNames(of: run).count
    }

    /// The names of the containers that the stand-in has started for a run.
    func containerNames(of run: String) async throws -> [String] {
        let started = try await Self.lab("GET", "/_lab/containers").arrayValue ?? []
        return started.filter { $0["flow_run"]?.stringValue == run }.compactMap { $0["name"]?.stringValue }
    }

    /// The programs that have sent matching requests, as they name themselves.
    func agents(_ method: String, path: String) async throws -> [String] {
        let calls = try await Self.lab("GET", "/_lab/calls").arrayValue ?? []
        return calls.filter { $0["method"]?.stringValue == method && $0["path"]?.stringValue?.hasSuffix(path) == true }
            .compactMap { $0["agent"]?.stringValue }
    }

    /// The finding of `prefect-worker check` about the jobs of workers in the region.
    func leftovers() async throws -> String {
        let outcome = try await WorkerProgram.run(
            ["check", "--pool", bench.pool], environment: bench.environment(environment()), in: bench.directory)
        return outcome.text.split(separator: "\n").filter { $0.contains(" in \(region)") }.joined(separator: "\n")
    }

    @discardableResult
    private static func lab(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        try await PrefectServerClient(url: #require(stand)).call(method, path, body)
    }
}

/// Runs `body` with a new pool of a type.
func withGoogleBench<Result>(
    _ type: String, on server: PrefectServerClient? = nil, project: String? = nil,
    isolation: isolated (any Actor)? = #isolation, _ body: (GoogleBench) async throws -> Result
) async throws -> Result {
    try await withTestBench(on: server, createsPool: false) { bench in
        try await bench.server.createPool(name: bench.pool, type: type)
        let root = ProcessInfo.processInfo.environment["LAB_CLOUD_MOUNT"] ?? "/tmp/harness-flows"
        let shared = "\(root)/\(bench.pool)"
        try FileManager.default.createDirectory(atPath: "\(shared)/code", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: shared) }
        try Data(FlowSource.text.utf8).write(to: URL(filePath: "\(shared)/code/flows.py"))
        try Data(FlowSource.quickRun.utf8).write(to: URL(filePath: "\(shared)/quick.py"))
        return try await body(
            GoogleBench(
                bench: bench, type: type, region: "e2e-\(TestBench.unique())", shared: shared, project: project))
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, without a stand-in for Google Cloud.
    static var googleCloud: Self {
        .enabled("needs a stand-in for Google Cloud at LAB_CLOUD, with GOOGLE_APPLICATION_CREDENTIALS") {
            let environment = ProcessInfo.processInfo.environment
            return GoogleBench.stand != nil && environment["GOOGLE_APPLICATION_CREDENTIALS"] != nil
        }
    }
}
