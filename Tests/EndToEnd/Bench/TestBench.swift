import Foundation
import Glibc
import PrefectJSON
import TestSupport

/// A new pool on the real server for one test, a directory with flows, and workers that serve the pool.
struct TestBench: Sendable {
    /// The server.
    let server: PrefectServerClient
    /// The pool's name.
    let pool: String
    /// The directory with the flows and their notes. It is the home directory of all workers and runs.
    let directory: String
    /// The id of the flow that all deployments belong to.
    let flow: String
    /// The flow's name.
    let flowName: String

    /// Deploys a function of ``FlowSource``.
    func deploy(_ function: String, jobVariables: JSONValue = [:], queue: String? = nil) async throws -> String {
        var others: JSONValue = ["parameters": ["notes": .string(directory)]]
        if let queue { others["work_queue_name"] = .string(queue) }
        return try await server.createDeployment(
            name: "\(function)-\(Self.unique())", flow: flow, pool: pool, entrypoint: "flows.py:\(function)",
            path: directory + "/code", jobVariables: jobVariables, others: others)
    }

    /// Deploys a command that runs instead of a flow's code.
    func deploy(
        command: String, jobVariables: JSONValue = [:], name: String? = nil, queue: String? = nil, pool: String? = nil
    ) async throws -> String {
        var variables = jobVariables
        variables["command"] = .string(command)
        let others: JSONValue = queue.map { ["work_queue_name": .string($0)] } ?? [:]
        return try await server.createDeployment(
            name: name ?? "command-\(Self.unique())", flow: flow, pool: pool ?? self.pool, jobVariables: variables,
            others: others)
    }

    /// Writes a shell script and returns its path.
    func script(_ name: String, _ text: String, isExecutable: Bool = true) throws -> String {
        try write(name, "#!/bin/sh\n" + text + "\n")
        let path = "\(directory)/\(name)"
        let mode = isExecutable ? 0o755 : 0o644
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }

    /// Writes a file into the directory and returns its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let path = "\(directory)/\(name)"
        try TestFile.write(text, to: path)
        return path
    }

    /// The lines of a file in the directory; empty while the file does not exist.
    func notes(_ name: String) -> [String] {
        guard let data = try? Data(contentsOf: URL(filePath: "\(directory)/\(name)")) else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Waits until a file in the directory has a line, and returns its lines.
    @discardableResult
    func waitForNotes(_ name: String, within timeout: Duration = .seconds(60)) async throws -> [String] {
        try await eventually(within: timeout, "the file \(name) has a line", every: .milliseconds(50)) {
            !notes(name).isEmpty
        }
        return notes(name)
    }

    /// The number of runs of the bench in a state of one of these types.
    func count(ofStates types: [String]) async throws -> Int? {
        let filter: JSONValue = [
            "flows": ["id": ["any_": [.string(flow)]]],
            "flow_runs": ["state": ["type": ["any_": .array(types.map(JSONValue.string))]]],
        ]
        return try await server.call("POST", "/flow_runs/count", filter).intValue
    }

    /// Waits until `count` runs of the bench are Completed.
    func waitForCompletedRuns(_ count: Int, within timeout: Duration = .seconds(150)) async throws {
        let filter: JSONValue = [
            "flows": ["id": ["any_": [.string(flow)]]], "flow_runs": ["state": ["name": ["any_": ["Completed"]]]],
        ]
        do {
            try await eventually(within: timeout, "\(count) runs are Completed", every: .milliseconds(500)) {
                try await server.call("POST", "/flow_runs/count", filter).intValue == count
            }
        } catch {
            throw Explained(error: error, detail: try await unfinished())
        }
    }

    /// The types of the states in which a run has ended.
    static let finalStates = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]

    /// Waits until this number of runs of the bench have ended in any way.
    func waitForEndedRuns(_ count: Int) async throws {
        do {
            try await eventually(within: .seconds(90), "all runs have ended", every: .seconds(1)) {
                try await self.count(ofStates: Self.finalStates) == count
            }
        } catch {
            throw Explained(error: error, detail: try await unfinished())
        }
    }

    /// All runs of the bench on the server, by their ids.
    func flowRuns() async throws -> [String: JSONValue] {
        let filter: JSONValue = ["flows": ["id": ["any_": [.string(flow)]]]]
        let runs = try await server.call("POST", "/flow_runs/filter", filter).arrayValue ?? []
        return Dictionary(runs.map { ($0["id"]?.stringValue ?? "", $0) }) { $1 }
    }

    /// The runs of the bench that are not Completed, each with its states, its worker and its process.
    func unfinished() async throws -> String {
        var lines: [String] = []
        for (id, run) in try await flowRuns() where run["state_name"] != "Completed" {
            let history = try await server.stateHistory(of: id)
            let worker = run["labels"]?["prefect.worker.name"]?.stringValue ?? "no worker"
            let process = run["infrastructure_pid"]?.stringValue ?? "no process"
            lines.append("\n  \(id) \(run["name"]?.stringValue ?? "") is \(history), of \(worker), \(process)")
        }
        return "unfinished are" + lines.joined()
    }

    /// The runs that were given up because the worker's process died twice while it handled them.
    func givenUp(_ runs: some Sequence<String>) async throws -> Set<String> {
        var givenUp: Set<String> = []
        for run in runs {
            let state = try await server.flowRun(run)["state"]
            if state?["message"]?.stringValue?.contains("died twice while it was") == true { givenUp.insert(run) }
        }
        return givenUp
    }

    /// The remaining content of the workers' state directories: rows of ledgers, and directories of runs.
    func remains() async throws -> [String] {
        let root = "\(directory)/prefect/prefect-worker"
        let rows = try await WorkerProgram.run(["runs", "--json"], environment: environment(), in: directory).output
        let directories = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let runs = directories.flatMap { directory in
            (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(directory)/runs")) ?? []
        }
        return rows + runs
    }

    /// The environment of the workers. A worker that receives SIGTERM stops its runs at once, unless a test sets
    /// another drain timeout.
    ///
    /// `TEST_WARM_ENGINES` gives all workers this mode of `PREFECT_WORKER_WARM_ENGINES`, for a run by hand.
    func environment(_ others: [String: String] = [:]) -> [String: String] {
        var own = [
            "PREFECT_API_URL": server.url, "PREFECT_WORKER_QUERY_SECONDS": "1", "TMPDIR": directory + "/tmp",
            "PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS": "0",
        ]
        own["PREFECT_WORKER_WARM_ENGINES"] = ProcessInfo.processInfo.environment["TEST_WARM_ENGINES"]
        return WorkerProgram.environment(home: directory, own.merging(others) { $1 })
    }

    /// The arguments of a worker on the pool.
    func arguments(name: String = "bench", _ others: [String] = []) -> [String] {
        ["start", "--pool", pool, "--name", name] + others
    }

    /// Runs a worker on the pool while `body` runs, and then ends the worker. The worker must exit with status 0.
    ///
    /// - Parameters:
    ///   - name: The worker's name.
    ///   - others: Arguments besides the pool and the name.
    ///   - variables: Additional environment variables.
    ///   - body: The test's work while the worker runs.
    @discardableResult
    func withWorker<Result>(
        name: String = "bench", _ others: [String] = [], variables: [String: String] = [:],
        isolation: isolated (any Actor)? = #isolation, _ body: (ChildProcess) async throws -> Result
    ) async throws -> Result {
        try await withChildProcess(
            WorkerProgram.path, arguments(name: name, others), environment: environment(variables),
            workingDirectory: directory
        ) { worker in
            let result: Result
            do {
                result = try await body(worker)
            } catch {
                // The lines of the worker and the running processes explain most failures.
                let processes = survivors().map { "\n  \($0): \(ProcessTable.commandLine($0))" }.joined()
                let detail = "\(worker.summary)\nthe processes are\(processes)"
                await end(worker)
                throw Explained(error: error, detail: detail)
            }
            if worker.exitStatus == nil { worker.send(.terminate) }
            let status = try await worker.waitForExit(timeout: .seconds(60))
            guard status == .exited(0) else {
                throw Explained(error: WaitTimeout(what: "status 0", timeout: .zero), detail: worker.summary)
            }
            return result
        }
    }

    /// Ends a worker of a failed test, together with its runs.
    private func end(_ worker: ChildProcess) async {
        worker.send(.terminate)
        try? await Task.sleep(for: ChildProcess.signalWindow)
        worker.send(.terminate)
        _ = try? await worker.waitForExit(timeout: .seconds(10))
    }

    /// The running processes whose `HOME` is the bench's directory: workers and runs.
    func survivors() -> [Int32] { ProcessTable.processes(withVariable: "HOME", directory) }

    static func unique() -> String { UUID().uuidString.prefix(8).lowercased() }
}

/// An error with additional details.
struct Explained: Error, CustomStringConvertible {
    let error: any Error
    let detail: String

    var description: String { "\(error); \(detail)" }
}

/// Runs `body` with a new pool, and removes everything from the server and the machine afterwards.
///
/// - Parameters:
///   - server: The server; by default the server of the environment.
///   - createsPool: Whether the pool exists at the beginning.
///   - body: The test's work.
func withTestBench<Result>(
    on server: PrefectServerClient? = nil, createsPool: Bool = true, isolation: isolated (any Actor)? = #isolation,
    _ body: (TestBench) async throws -> Result
) async throws -> Result {
    try await withTemporaryDirectory { directory in
        var server = try server ?? PrefectServerClient.fromEnvironment()
        // The server's database can delay a request for a minute.
        server.timeout = .seconds(90)
        server.patience = .seconds(180)
        let name = "e2e-\(TestBench.unique())"
        let flow = try await server.createFlow(name: name)
        let bench = TestBench(server: server, pool: name, directory: directory, flow: flow, flowName: name)
        // The worker copies the code's directory for each run, so it must contain nothing else.
        for name in ["tmp", "code"] {
            try FileManager.default.createDirectory(atPath: "\(directory)/\(name)", withIntermediateDirectories: true)
        }
        try bench.write("code/flows.py", FlowSource.text)
        if createsPool { try await server.createPool(name: name) }
        do {
            let result = try await body(bench)
            await bench.remove()
            return result
        } catch {
            await bench.remove()
            throw error
        }
    }
}

extension TestBench {
    /// Removes everything. Failures are ignored, because the outcome of a test does not depend on the removal.
    fileprivate func remove() async {
        for process in survivors() { ProcessTable.kill(process) }
        _ = try? await server.send("DELETE", "/flows/\(flow)")
        _ = try? await server.deletePool(pool)
    }
}
