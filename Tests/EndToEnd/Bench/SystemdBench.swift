import FoundationEssentials
import PrefectJSON
import TestSupport
import Testing

/// A pool on the real server, and a directory with the worker's program on a machine that a real systemd has booted.
/// Workers are services of that machine.
struct SystemdBench: Sendable {
    /// The pool and the server.
    let bench: TestBench
    let machine: SystemdMachine
    /// The bench's directory on the machine. It is also the home directory of the workers.
    var home: String { "/var/lib/\(bench.pool)" }
    /// The worker's program on the machine.
    var program: String { "\(home)/bin/prefect-worker" }
    /// The service of the worker.
    var service: String { "\(bench.pool).service" }

    /// The environment of workers on the machine.
    func environment(_ others: [String: String] = [:]) -> [String: String] {
        WorkerProgram.environment(
            home: home,
            [
                "PREFECT_API_URL": bench.server.url, "PREFECT_WORKER_QUERY_SECONDS": "1",
                "PATH": "/usr/local/bin:/usr/bin:/bin",
            ].merging(others) { $1 })
    }

    /// The unit file of a worker on the pool.
    ///
    /// - Parameters:
    ///   - arguments: Arguments besides the pool and the name.
    ///   - variables: Additional environment variables.
    ///   - directives: Additional lines of the section `[Service]`.
    func unit(
        _ arguments: [String] = [], variables: [String: String] = [:], directives: [String] = []
    ) -> String {
        let words = [program] + bench.arguments(name: "bench", arguments)
        let environment = environment(variables).sorted { $0.key < $1.key }
            .map { "Environment=\(Self.quoted("\($0.key)=\($0.value)"))" }
        return
            (["[Service]", "ExecStart=\(words.map(Self.quoted).joined(separator: " "))", "WorkingDirectory=\(home)"]
            + environment + directives).joined(separator: "\n") + "\n"
    }

    private static func quoted(_ word: String) -> String {
        let text = word.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("%", with: "%%")
        return "\"\(text)\""
    }

    /// Installs and starts the worker's service.
    func start(_ unit: String) async throws {
        try await machine.installUnit(service, unit)
        try await machine.run("systemctl", "start", service)
    }

    /// Waits until the worker writes a line with a text into the journal.
    func waitForLine(containing part: String, within timeout: Duration = .seconds(30)) async throws {
        do {
            try await eventually(within: timeout, "the worker writes '\(part)'", every: .milliseconds(200)) {
                try await lines().contains { $0.contains(part) }
            }
        } catch {
            throw Explained(error: error, detail: try await report())
        }
    }

    /// The lines that the worker has written into the journal.
    func lines() async throws -> [String] {
        try await machine.journal("_SYSTEMD_UNIT=\(service)").compactMap { $0["MESSAGE"]?.stringValue }
    }

    /// The state of the worker's service and its last lines, for messages.
    func report() async throws -> String {
        let status = try await machine.outcome(["systemctl", "status", "--no-pager", "--lines=0", service]).text
        return "\(status)\n\(try await lines().suffix(40).joined(separator: "\n"))"
    }

    /// The name of the unit of a running flow run; `nil` when no such unit exists.
    func unit(of run: String) async throws -> String? {
        try await machine.run("systemctl", "list-units", "--quiet", "--plain", "prefect-run-\(run)*").first?
            .split(separator: " ").first.map(String.init)
    }

    /// The names of all unit directories in the workers' state directories.
    func directories() -> [String] {
        let root = "\(home)/prefect/prefect-worker"
        return machine.names(in: root).flatMap { machine.names(in: "\(root)/\($0)/units") }
    }

    /// The lines of a file in the directory; empty while the file does not exist.
    func notes(_ name: String) -> [String] { machine.lines("\(home)/\(name)") }

    /// Writes a file into the directory and returns its path on the machine.
    @discardableResult
    func write(_ name: String, _ text: String, isExecutable: Bool = false) throws -> String {
        try machine.write(text, to: "\(home)/\(name)", isExecutable: isExecutable)
        return "\(home)/\(name)"
    }

    /// Creates a run of a shell script. `$OUT` is the bench's directory.
    func shell(_ script: String, jobVariables: JSONValue = [:], name: String? = nil) async throws -> String {
        let file = try write("run-\(TestBench.unique()).sh", "OUT=\(home)\n\(script)\n")
        return try await bench.server.createRun(
            deployment: bench.deploy(command: "/bin/sh \(file)", jobVariables: jobVariables), name: name)
    }

    /// Deploys a function of ``FlowSource``. Its code and its notes are in the bench's directory.
    func deploy(_ function: String, jobVariables: JSONValue = [:]) async throws -> String {
        try write("code/flows.py", FlowSource.text)
        let onMachine = TestBench(
            server: bench.server, pool: bench.pool, directory: home, flow: bench.flow, flowName: bench.flowName)
        return try await onMachine.deploy(function, jobVariables: jobVariables)
    }

    /// Waits until a run is in one of these states, and returns it.
    @discardableResult
    func waitForRun(
        _ run: String, toBe names: Set<String>, within timeout: Duration = .seconds(60)
    ) async throws -> JSONValue {
        do {
            return try await bench.server.waitForRun(run, toBe: names, within: timeout)
        } catch {
            throw Explained(error: error, detail: try await report())
        }
    }
}

/// Runs `body` with a new pool and a directory on the machine. Everything is removed afterwards, units included.
func withSystemdBench<Result>(
    type: String = "process", isolation: isolated (any Actor)? = #isolation,
    _ body: (SystemdBench) async throws -> Result
) async throws -> Result {
    let machine = try #require(SystemdMachine.current)
    return try await withTestBench(createsPool: false) { bench in
        try await bench.server.createPool(name: bench.pool, type: type)
        let systemd = SystemdBench(bench: bench, machine: machine)
        do {
            try await machine.install(WorkerProgram.path, in: "\(systemd.home)/bin")
            let result = try await body(systemd)
            await systemd.remove()
            return result
        } catch {
            await systemd.remove()
            throw error
        }
    }
}

extension SystemdBench {
    fileprivate func remove() async {
        let filter: JSONValue = ["flows": ["id": ["any_": [.string(bench.flow)]]]]
        let runs = try? await bench.server.call("POST", "/flow_runs/filter", filter).arrayValue
        let units = (runs ?? []).compactMap { $0["id"]?.stringValue }.map { "prefect-run-\($0)*.service" }
        let own = machine.names(in: "/etc/systemd/system").filter { $0.hasPrefix(bench.pool) }
        try? await machine.removeUnits(own + units)
        try? FileManager.default.removeItem(atPath: machine.path(home))
    }
}
