import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

/// Two workers of one pool: this one and the Python worker of the type.
struct Peers: Sendable {
    /// The pool, on a server of its own.
    let bench: TestBench
    /// The type of the pool.
    let type: String
    /// The variables of the cloud.
    let variables: [String: String]

    /// The `prefect` program of a Python environment that has the Python workers for clouds.
    static let prefect = ProcessInfo.processInfo.environment["TEST_CLOUD_PREFECT"].flatMap { $0.isEmpty ? nil : $0 }

    /// The settings of a server that passes a run on to a worker three seconds after it was cancelled.
    static let serverSettings = [
        "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "1",
        "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_CANCELLING_TIMEOUT_SECONDS": "3",
    ]

    /// Runs `body` with a server for workers of which one stops what the other has started.
    static func withServer<Result>(
        isolation: isolated (any Actor)? = #isolation, _ body: (PrefectServerClient) async throws -> Result
    ) async throws -> Result {
        try await withTemporaryDirectory { directory in
            let own = try OwnServer(directory: directory)
            return try await own.whileRunning(settings: serverSettings) { try await body(own.client) }
        }
    }

    /// Lets one worker start a run and die. The other one stops the run at the server's request, since it does not know
    /// the run.
    ///
    /// - Parameters:
    ///   - run: A run that ignores the API and lasts until it is stopped.
    ///   - isPython: Whether the Python worker starts the run.
    ///   - begun: Whether the run has begun.
    ///   - stopped: Whether the other worker has stopped it.
    func expectStop(
        of run: String, startedByPython isPython: Bool, isolation: isolated (any Actor)? = #isolation,
        begun: () async throws -> Bool, stopped: () async throws -> Bool
    ) async throws {
        let server = bench.server
        try await withPeer(isPython, "first-\(TestBench.unique())") { worker in
            try await eventually(within: .seconds(120), "the run has begun", every: .milliseconds(300)) {
                guard try await server.flowRun(run)["infrastructure_pid"]?.stringValue != nil else { return false }
                return try await begun()
            }
            worker.send(.kill)
            _ = try await worker.waitForExit()
        }
        try await server.setState(of: run, to: "RUNNING", force: true)
        let name = "second-\(TestBench.unique())"
        try await withPeer(!isPython, name) { worker in
            try await eventually(within: .seconds(120), "the other worker is online", every: .milliseconds(500)) {
                let path = "/work_pools/\(bench.pool)/workers/filter"
                return try await server.call("POST", path, [:]).arrayValue?.contains { $0["name"]?.stringValue == name }
                    == true
            }
            try await server.setState(of: run, to: "CANCELLING", name: "Cancelling")
            try await eventually(within: .seconds(120), "the other worker has stopped the run", every: .seconds(1)) {
                try await stopped()
            }
            try await server.waitForRun(run, toBe: ["Cancelled"], within: .seconds(60))
            worker.send(.kill)
            _ = try await worker.waitForExit()
        }
    }

    /// Runs one of the workers while `body` runs. Its lines explain an error.
    private func withPeer(
        _ isPython: Bool, _ name: String, isolation: isolated (any Actor)? = #isolation,
        _ body: (ChildProcess) async throws -> Void
    ) async throws {
        let more = isPython ? ["--install-policy", "never"] : ["--state-dir", "\(bench.directory)/\(name)"]
        let arguments = bench.arguments(name: name, ["--type", type] + more)
        let environment = bench.environment(
            ["PREFECT_API_AUTH_STRING": OwnServer.credentials, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"]
                .merging(variables) { $1 })
        try await withChildProcess(
            isPython ? try #require(Self.prefect) : WorkerProgram.path, (isPython ? ["worker"] : []) + arguments,
            environment: environment, workingDirectory: bench.directory
        ) { worker in
            do {
                try await body(worker)
            } catch {
                throw Explained(error: error, detail: worker.summary)
            }
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, without the Python workers for clouds.
    static var peers: Self {
        .enabled("needs the Python workers for clouds: TEST_CLOUD_PREFECT names their 'prefect' program") {
            Peers.prefect != nil
        }
    }
}
