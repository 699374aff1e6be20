import FoundationEssentials
import Glibc
import PrefectJSON
import TestSupport
import Testing

/// A Docker Engine for one test. A stop and a start of it affect no other test. Its containers have the image
/// `busybox:lab` of the Engine at `DOCKER_HOST`, and no connection to a network.
struct OwnEngine: Sendable {
    private let directory: String
    private let arguments: [String]

    /// The address of the Engine for the worker and for Docker's client.
    var address: String { "unix://\(directory)/e.sock" }

    /// An Engine that keeps all its files in a directory. With `restoresContainers`, its containers continue while it
    /// is stopped.
    init(in directory: String, restoresContainers: Bool) async throws {
        self.directory = directory
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let facts = try await DockerBench.docker(["info", "--format", "{{json .}}"])
        let info = try JSONValue(parsing: facts.first ?? "")
        var arguments = [
            "-H", "unix://\(directory)/e.sock", "--data-root", "\(directory)/d", "--exec-root", "\(directory)/x",
            "--pidfile",
            "\(directory)/pid", "--iptables=false", "--storage-driver", "vfs",
        ]
        if restoresContainers { arguments.append("--live-restore") }
        // Some machines need a runtime other than `runc`, and the Engine at `DOCKER_HOST` has it as its default.
        let name = info["DefaultRuntime"]?.stringValue ?? "runc"
        if name != "runc", let path = info["Runtimes"]?[name]?["path"]?.stringValue {
            arguments += ["--add-runtime", "\(name)=\(path)", "--default-runtime", name]
        }
        self.arguments = arguments
    }

    /// Runs the Engine while `body` runs, and then ends it with `signal`. Does not wait for the containers.
    func life<Result>(
        endingWith signal: ChildProcess.Signal, isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Result
    ) async throws -> Result {
        // The Engine gets a network namespace, because two Engines would interfere at the bridge `docker0`.
        try await withChildProcess("unshare", ["-n", "dockerd"] + arguments, workingDirectory: "/") { engine in
            do {
                try await eventually(within: .seconds(60), "the Engine answers", every: .milliseconds(200)) {
                    try await docker(["version"]).isEmpty == false
                }
                let result = try await body()
                engine.send(signal)
                try await engine.waitForExit(timeout: .seconds(60))
                return result
            } catch {
                try? await clear()
                engine.send(.terminate)
                _ = try? await engine.waitForExit(timeout: .seconds(20))
                throw Explained(error: error, detail: engine.summary)
            }
        }
    }

    /// Loads the image into the Engine.
    func loadImage() async throws {
        let file = "\(directory)/image.tar"
        try await DockerBench.docker(["save", "-o", file, "busybox:lab"])
        try await docker(["load", "-i", file])
    }

    /// Removes all containers.
    func clear() async throws {
        let left = try await docker(["ps", "-aq"])
        if !left.isEmpty { try await docker(["rm", "-f"] + left) }
    }

    @discardableResult
    func docker(_ arguments: [String]) async throws -> [String] {
        try await DockerBench.docker(["-H", address] + arguments)
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, unless it can start an Engine.
    static var ownEngine: Self {
        .enabled("needs dockerd and the right to start it") {
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            return getuid() == 0
                && path.split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/dockerd") }
        }
    }
}
