import FoundationEssentials
import Glibc
import JSON
import TestSupport
import Testing

/// A Docker Engine of a test's own, which may be stopped and started without anybody else's noticing it. Its containers have
/// the image `busybox:lab` of the Engine at `DOCKER_HOST`, and no network that leads anywhere.
struct OwnEngine: Sendable {
    private let folder: String
    private let arguments: [String]

    /// What the worker and Docker's client find it by.
    var address: String { "unix://\(folder)/e.sock" }

    /// An Engine that keeps everything in a folder, and whose containers go on without it where it restores them.
    init(in folder: String, restoresContainers: Bool) async throws {
        self.folder = folder
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let facts = try await DockerBench.docker(["info", "--format", "{{json .}}"])
        let info = try JSONValue(parsing: facts.first ?? "")
        var arguments = [
            "-H", "unix://\(folder)/e.sock", "--data-root", "\(folder)/d", "--exec-root", "\(folder)/x", "--pidfile",
            "\(folder)/pid", "--iptables=false", "--storage-driver", "vfs",
        ]
        if restoresContainers { arguments.append("--live-restore") }
        // Where containers need a runtime of their own, these do as well.
        let name = info["DefaultRuntime"]?.stringValue ?? "runc"
        if name != "runc", let path = info["Runtimes"]?[name]?["path"]?.stringValue {
            arguments += ["--add-runtime", "\(name)=\(path)", "--default-runtime", name]
        }
        self.arguments = arguments
    }

    /// Runs the Engine while something is done. It is ended by `signal`, and nobody waits for its containers.
    func life<Result>(
        endingWith signal: ChildProcess.Signal, isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Result
    ) async throws -> Result {
        // In a network of its own: two Engines would share, and take from each other, the bridge `docker0`.
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

    /// Gives the Engine the image.
    func loadImage() async throws {
        let file = "\(folder)/image.tar"
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
    /// The test is skipped, with a comment that says why, unless it can start an Engine.
    static var ownEngine: Self {
        .enabled("needs dockerd and the right to start it") {
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            return getuid() == 0
                && path.split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/dockerd") }
        }
    }
}
