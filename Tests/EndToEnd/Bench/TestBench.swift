import Foundation
import Glibc
import JSON
import TestSupport

/// A pool of a test's own on the real server, flows in a folder, and workers that serve the pool.
struct TestBench: Sendable {
    /// The server.
    let server: PrefectServerClient
    /// The pool's name.
    let pool: String
    /// The folder with the flows and what they note; everybody's home.
    let folder: String
    /// The flow's id, whose deployments all are.
    let flow: String
    /// The flow's name.
    let flowName: String

    /// Deploys a function of ``FlowSource``.
    func deploy(_ function: String, jobVariables: JSONValue = [:], queue: String? = nil) async throws -> String {
        var others: JSONValue = ["parameters": ["notes": .string(folder)]]
        if let queue { others["work_queue_name"] = .string(queue) }
        return try await server.createDeployment(
            name: "\(function)-\(Self.unique())", flow: flow, pool: pool, entrypoint: "flows.py:\(function)",
            path: folder + "/code", jobVariables: jobVariables, others: others)
    }

    /// Deploys something that is run by a command instead of a flow's code.
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
        let path = "\(folder)/\(name)"
        let mode = isExecutable ? 0o755 : 0o644
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }

    /// Writes a file into the folder and returns its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let path = "\(folder)/\(name)"
        try Folder.write(text, to: path)
        return path
    }

    /// The lines of a file in the folder; none while it does not exist.
    func notes(_ name: String) -> [String] {
        guard let data = try? Data(contentsOf: URL(filePath: "\(folder)/\(name)")) else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Waits until a file in the folder has a line, and returns its lines.
    @discardableResult
    func waitForNotes(_ name: String, within timeout: Duration = .seconds(60)) async throws -> [String] {
        try await eventually(within: timeout, "there are notes in \(name)", every: .milliseconds(50)) {
            !notes(name).isEmpty
        }
        return notes(name)
    }

    /// How many runs of the bench are in a state of one of these types.
    func count(ofStates types: [String]) async throws -> Int? {
        let filter: JSONValue = [
            "flows": ["id": ["any_": [.string(flow)]]],
            "flow_runs": ["state": ["type": ["any_": .array(types.map(JSONValue.string))]]],
        ]
        return try await server.call("POST", "/flow_runs/count", filter).intValue
    }

    /// Waits until so many runs of the bench are Completed.
    func waitForCompletedRuns(_ count: Int) async throws {
        let filter: JSONValue = [
            "flows": ["id": ["any_": [.string(flow)]]], "flow_runs": ["state": ["name": ["any_": ["Completed"]]]],
        ]
        do {
            try await eventually(within: .seconds(150), "\(count) runs are Completed", every: .milliseconds(500)) {
                try await server.call("POST", "/flow_runs/count", filter).intValue == count
            }
        } catch {
            throw Explained(error: error, detail: try await unfinished())
        }
    }

    /// The runs of the bench that are not Completed, with what became of them.
    func unfinished() async throws -> String {
        let filter: JSONValue = ["flows": ["id": ["any_": [.string(flow)]]]]
        var lines: [String] = []
        for run in try await server.call("POST", "/flow_runs/filter", filter).arrayValue ?? [] {
            guard run["state_name"] != "Completed", let id = run["id"]?.stringValue else { continue }
            let history = try await server.stateHistory(of: id)
            let worker = run["labels"]?["prefect.worker.name"]?.stringValue ?? "no worker"
            let process = run["infrastructure_pid"]?.stringValue ?? "no process"
            lines.append("\n  \(id) \(run["name"]?.stringValue ?? "") is \(history), of \(worker), \(process)")
        }
        return "unfinished are" + lines.joined()
    }

    /// The runs that a worker has given up because processes had died of them.
    func givenUp(_ runs: some Sequence<String>) async throws -> Set<String> {
        var givenUp: Set<String> = []
        for run in runs {
            let state = try await server.flowRun(run)["state"]
            if state?["message"]?.stringValue?.contains("died twice while it was") == true { givenUp.insert(run) }
        }
        return givenUp
    }

    /// What is left in the workers' state directories: rows of ledgers, and folders of runs.
    func remains() async throws -> [String] {
        let root = "\(folder)/prefect/prefect-worker"
        let rows = try await WorkerProgram.run(["runs", "--json"], environment: environment(), in: folder).output
        let directories = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let runs = directories.flatMap { directory in
            (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(directory)/runs")) ?? []
        }
        return rows + runs
    }

    /// The environment of the workers. A worker that is told to end stops its runs at once, unless a test wants it to
    /// drain.
    func environment(_ others: [String: String] = [:]) -> [String: String] {
        WorkerProgram.environment(
            home: folder,
            [
                "PREFECT_API_URL": server.url, "PREFECT_WORKER_QUERY_SECONDS": "1", "TMPDIR": folder + "/tmp",
                "PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS": "0",
            ].merging(others) { $1 })
    }

    /// The arguments of a worker on the pool.
    func arguments(name: String = "bench", _ others: [String] = []) -> [String] {
        ["start", "--pool", pool, "--name", name] + others
    }

    /// Serves the pool while something is done, and then ends the worker, which has to leave with status 0.
    ///
    /// - Parameters:
    ///   - name: The worker's name.
    ///   - others: Arguments besides the pool and the name.
    ///   - variables: Environment variables besides the usual.
    ///   - body: What to do meanwhile.
    @discardableResult
    func withWorker<Result>(
        name: String = "bench", _ others: [String] = [], variables: [String: String] = [:],
        isolation: isolated (any Actor)? = #isolation, _ body: (ChildProcess) async throws -> Result
    ) async throws -> Result {
        try await withChildProcess(
            WorkerProgram.path, arguments(name: name, others), environment: environment(variables),
            workingDirectory: folder
        ) { worker in
            let result: Result
            do {
                result = try await body(worker)
            } catch {
                // What the worker said, and what runs then, explains most failures.
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

    /// Ends a worker of a test that has failed, with what it runs.
    private func end(_ worker: ChildProcess) async {
        worker.send(.terminate)
        try? await Task.sleep(for: ChildProcess.signalWindow)
        worker.send(.terminate)
        _ = try? await worker.waitForExit(timeout: .seconds(10))
    }

    /// The processes that a worker of this bench, or what it ran, has left.
    func survivors() -> [Int32] { ProcessTable.processes(withVariable: "HOME", folder) }

    static func unique() -> String { UUID().uuidString.prefix(8).lowercased() }
}

/// A failure, and how things stood.
struct Explained: Error, CustomStringConvertible {
    let error: any Error
    let detail: String

    var description: String { "\(error); \(detail)" }
}

/// Does something with a new pool, and removes everything from the server and the machine afterwards.
///
/// - Parameters:
///   - server: The server; without it the one of the environment.
///   - createsPool: Whether the pool exists at the beginning.
///   - body: What to do.
func withTestBench<Result>(
    on server: PrefectServerClient? = nil, createsPool: Bool = true, isolation: isolated (any Actor)? = #isolation,
    _ body: (TestBench) async throws -> Result
) async throws -> Result {
    try await withTemporaryDirectory { folder in
        var server = try server ?? PrefectServerClient.fromEnvironment()
        // The server's database may keep a request waiting for a minute.
        server.timeout = .seconds(90)
        server.patience = .seconds(180)
        let name = "e2e-\(TestBench.unique())"
        let flow = try await server.createFlow(name: name)
        let bench = TestBench(server: server, pool: name, folder: folder, flow: flow, flowName: name)
        // The code is copied for each run, so that nothing else may be in its folder.
        for name in ["tmp", "code"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
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
    /// Removes everything; what cannot be removed stays, since a test's outcome does not depend on it.
    fileprivate func remove() async {
        for process in survivors() { ProcessTable.kill(process) }
        _ = try? await server.send("DELETE", "/flows/\(flow)")
        _ = try? await server.deletePool(pool)
    }
}
