import FoundationEssentials
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

/// A Docker pool on the real server and the real Engine. Its flows run in the image `prefect:lab`, and its commands in
/// `busybox:lab`. Each container has the directory of the flows at the same path.
struct DockerBench: Sendable {
    let bench: TestBench

    /// Deploys a function of ``FlowSource``.
    func deploy(_ function: String, jobVariables: JSONValue = [:]) async throws -> String {
        try await bench.deploy(
            function, jobVariables: merged(["image": "prefect:lab", "volumes": [mount]], jobVariables))
    }

    /// Creates a run of a command in a small image.
    func run(_ command: String, jobVariables: JSONValue = [:], name: String? = nil) async throws -> String {
        let variables = merged(["image": "busybox:lab", "volumes": [mount]], jobVariables)
        return try await bench.server.createRun(
            deployment: bench.deploy(command: command, jobVariables: variables), name: name)
    }

    /// Creates a run of a shell script in a small image.
    func shell(_ script: String, jobVariables: JSONValue = [:], name: String? = nil) async throws -> String {
        try await run("sh -c '\(script.replacing("'", with: "'\"'\"'"))'", jobVariables: jobVariables, name: name)
    }

    /// The volume that mounts the bench's directory.
    var mount: JSONValue { .string("\(bench.directory):\(bench.directory)") }

    private func merged(_ variables: JSONValue, _ others: JSONValue) -> JSONValue {
        var result = variables
        for (key, value) in others.objectValue ?? [:] { result[key] = value }
        return result
    }

    /// Runs a worker on the pool while `body` runs.
    func withWorker<Result>(
        _ others: [String] = [], variables: [String: String] = [:], isolation: isolated (any Actor)? = #isolation,
        _ body: (ChildProcess) async throws -> Result
    ) async throws -> Result {
        try await bench.withWorker(["--type", "docker"] + others, variables: environment(variables), body)
    }

    /// The environment of a worker that uses the Engine of the tests.
    func environment(_ others: [String: String] = [:]) -> [String: String] {
        ["DOCKER_HOST": Engine.docker.address ?? ""].merging(others) { $1 }
    }

    /// Waits until a run has crashed, and returns the message of its state.
    func crash(of run: String, within timeout: Duration = .seconds(60)) async throws -> String {
        let crash = try await bench.server.waitForRun(run, toBe: ["Crashed", "Completed", "Failed"], within: timeout)
        #expect(crash["state_name"] == "Crashed")
        return crash["state"]?["message"]?.stringValue ?? ""
    }

    /// The ids of the containers of a run, or of all runs of the bench. With `running`, only those that run.
    func containers(of run: String? = nil, running: Bool = false) async throws -> [String] {
        try await containers(of: run, inStates: running ? ["running"] : [])
    }

    /// The ids of the containers of a run, or of all runs of the bench, in one of these states. No states means any
    /// state.
    func containers(of run: String? = nil, inStates states: [String]) async throws -> [String] {
        let filter = run.map { "label=io.prefect.flow-run-id=\($0)" } ?? "label=io.prefect.work-pool-name=\(bench.pool)"
        let filters = ([filter] + states.map { "status=\($0)" }).flatMap { ["--filter", $0] }
        return try await Self.docker(["ps", "-a", "-q", "--no-trunc"] + filters)
    }

    /// Waits until a run's container runs, and returns its id.
    func waitForContainer(of run: String) async throws -> String {
        var found: [String] = []
        try await eventually(within: .seconds(60), "the container runs", every: .milliseconds(100)) {
            found = try await containers(of: run, running: true)
            return !found.isEmpty
        }
        return try #require(found.first)
    }

    /// Runs Docker's own client, which must succeed, and returns its lines.
    @discardableResult
    static func docker(_ arguments: [String]) async throws -> [String] {
        try await withChildProcess("docker", arguments) { client in
            let status = try await client.waitForExit(timeout: .seconds(60))
            guard status == .exited(0) else {
                throw Explained(
                    error: WaitTimeout(what: "docker \(arguments.first ?? "") succeeds", timeout: .zero),
                    detail: client.summary)
            }
            return client.output
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, unless the Engine has the images of the runs.
    static var dockerImages: Self {
        .enabled("needs the images prefect:lab and busybox:lab on the Engine at DOCKER_HOST") {
            guard await Engine.docker.isAvailable else { return false }
            return (try? await DockerBench.docker(["image", "inspect", "prefect:lab", "busybox:lab"])) != nil
        }
    }
}

/// Runs `body` with a new Docker pool. Everything is removed afterwards, containers included.
func withDockerBench<Result>(
    on server: PrefectServerClient? = nil, isolation: isolated (any Actor)? = #isolation,
    _ body: (DockerBench) async throws -> Result
) async throws -> Result {
    try await withTestBench(on: server, createsPool: false) { bench in
        try await bench.server.createPool(name: bench.pool, type: "docker")
        let docker = DockerBench(bench: bench)
        do {
            let result = try await body(docker)
            await docker.remove()
            return result
        } catch {
            await docker.remove()
            throw error
        }
    }
}

extension DockerBench {
    fileprivate func remove() async {
        guard let left = try? await containers(), !left.isEmpty else { return }
        _ = try? await Self.docker(["rm", "-f", "-v"] + left)
    }
}
