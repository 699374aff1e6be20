import Foundation
import PrefectJSON
import TestSupport
import Testing

/// The image that `make image` builds, on the Engine of the tests and with the real server. Its containers serve a
/// process pool in the host's network. They have the bench's directory at the same path.
struct ContainerBench: Sendable {
    let bench: TestBench
    /// The name of the image.
    let image: String
    /// The port of the worker's probes.
    private let port: PortReservation
    /// The probes of the worker in the container.
    var probe: Probe { Probe(port: port.port) }

    init(_ bench: TestBench, image: String) throws {
        self.bench = bench
        self.image = image
        port = try PortReservation()
        // This machine has no user with the worker's user id, so everyone gets access.
        for directory in [bench.directory, "\(bench.directory)/code", "\(bench.directory)/tmp"] {
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory)
        }
    }

    /// The image that an environment variable names; `nil` without one.
    static func image(_ variable: String) -> String? {
        ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Serves the pool from a container while `body` runs. The container and its volume are removed afterwards.
    func withContainer<Result>(
        _ arguments: [String] = ["--python", "none"], variables: [String: String] = [:],
        options own: [String] = [],
        isolation: isolated (any Actor)? = #isolation, _ body: (Container) async throws -> Result
    ) async throws -> Result {
        let settings = [
            "PREFECT_API_URL": bench.server.url, "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1", "PREFECT_WORKER_WEBSERVER_PORT": "\(port.port)",
        ].merging(variables) { $1 }
        var options = ["run", "-d", "--network", "host", "--health-interval", "1s"] + own
        options += ["-v", "\(bench.directory):\(bench.directory)"]
        options += settings.flatMap { ["-e", "\($0)=\($1)"] }
        let command = ["start", "--pool", bench.pool, "--name", "contained", "--with-healthcheck"] + arguments
        let id = try #require(try await DockerBench.docker(options + [image] + command).first)
        let container = Container(id: id)
        do {
            let result = try await body(container)
            await container.remove()
            return result
        } catch {
            let log = await container.log()
            await container.remove()
            throw Explained(error: error, detail: log.joined(separator: "\n"))
        }
    }

    /// A container that runs a worker.
    struct Container: Sendable {
        let id: String

        /// The container as `docker inspect` prints it.
        func inspect() async throws -> JSONValue {
            let text = try await DockerBench.docker(["inspect", id]).joined(separator: "\n")
            return try JSONValue(parsing: Array(text.utf8))[0] ?? .null
        }

        /// The exit code of the container's first process.
        func exitCode() async throws -> Int? { try await inspect()["State"]?["ExitCode"]?.intValue }

        /// The states and names of the container's processes: `S prefect-worker`, `Z sleep`.
        func processes() async throws -> [String] {
            try await DockerBench.docker(["top", id, "-eo", "pid,stat,comm"]).dropFirst().map { line in
                let words = line.split(separator: " ")
                return "\(words.dropFirst().first?.prefix(1) ?? "") \(words.dropFirst(2).joined(separator: " "))"
            }
        }

        /// Waits until the Engine reports the container as healthy.
        func waitUntilHealthy() async throws {
            try await eventually(within: .seconds(60), "the container is healthy", every: .milliseconds(200)) {
                try await inspect()["State"]?["Health"]?["Status"] == "healthy"
            }
        }

        /// All lines that the container has written.
        func log() async -> [String] {
            let lines = try? await withChildProcess("docker", ["logs", id]) { client in
                _ = try await client.waitForExit()
                return client.lines.map(\.text)
            }
            return lines ?? []
        }

        func waitForLine(containing part: String) async throws {
            try await eventually(within: .seconds(60), "the container writes '\(part)'", every: .milliseconds(100)) {
                await log().contains { $0.contains(part) }
            }
        }

        fileprivate func remove() async { _ = try? await DockerBench.docker(["rm", "-f", "-v", id]) }
    }
}

/// Runs `body` with the image that an environment variable names and with a new pool.
func withContainerBench<Result>(
    _ variable: String = "TEST_IMAGE", isolation: isolated (any Actor)? = #isolation,
    _ body: (ContainerBench) async throws -> Result
) async throws -> Result {
    let image = try #require(ContainerBench.image(variable))
    return try await withTestBench { try await body(ContainerBench($0, image: image)) }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, unless the Engine has the image that an environment variable names.
    static func image(_ variable: String, madeBy target: String) -> Self {
        .enabled("needs an image of the worker, as `make \(target)` makes it, whose name \(variable) is") {
            guard let image = ContainerBench.image(variable), await Engine.docker.isAvailable else { return false }
            return (try? await DockerBench.docker(["image", "inspect", image])) != nil
        }
    }
}
