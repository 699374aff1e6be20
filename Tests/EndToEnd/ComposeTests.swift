import Foundation
import PrefectJSON
import TestSupport
import Testing

@Suite(
    "The Compose file", .requires(.docker), .requires(programs: ["docker-compose"], of: "docker-compose"),
    .image("TEST_IMAGE_PYTHON", madeBy: "image-python"), .composeImages, .bounded)
struct ComposeTests {
    @Test("the Compose file starts a server and a healthy worker, which creates its pool, runs flows and stops in time")
    func upAndDown() async throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../examples/compose/compose.yaml")
        let port = try PortReservation()
        var environment = ["PREFECT_PORT": "\(port.port)", "WORK_POOL": "composed"]
        for name in ["PATH", "HOME", "DOCKER_HOST"] { environment[name] = ProcessInfo.processInfo.environment[name] }
        let project = "e2e-\(TestBench.unique())"
        func compose(_ arguments: String...) async throws {
            try await withChildProcess(
                "docker-compose", ["-p", project, "-f", file.path] + arguments, environment: environment
            ) { client in
                let status = try await client.waitForExit(timeout: .seconds(120))
                #expect(status == .exited(0), "\(client.summary)")
            }
        }
        do {
            try await compose("up", "-d", "--no-build")
            var server = try PrefectServerClient(url: "http://127.0.0.1:\(port.port)/api")
            server.patience = .seconds(60)
            let worker = try #require(
                try await DockerBench.docker([
                    "ps", "-a", "-q", "--filter", "label=com.docker.compose.project=\(project)", "--filter",
                    "label=com.docker.compose.service=worker",
                ]).first)
            func state(_ format: String) async throws -> String? {
                try await DockerBench.docker(["inspect", "--format", "{{.State.\(format)}}", worker]).first
            }
            try await eventually(within: .seconds(60), "the worker is healthy", every: .milliseconds(500)) {
                try await state("Health.Status") == "healthy"
            }
            #expect(try await server.pool("composed")["type"] == "process")
            let deployment = try await server.createDeployment(
                name: "exit", flow: server.createFlow(name: "exit"), pool: "composed",
                jobVariables: ["command": "sh -c 'exit 3'"])
            let crash = try await server.waitForRun(server.createRun(deployment: deployment), toBe: ["Crashed"])
            #expect(crash["state"]?["message"]?.stringValue?.contains("status code 3") == true)
            try await compose("stop")
            #expect(try await state("ExitCode") == "0")
        } catch {
            try? await compose("down", "-v")
            throw error
        }
        try await compose("down", "-v")
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, unless the Engine has the images of the Compose file.
    fileprivate static var composeImages: Self {
        .enabled("needs the images prefecthq/prefect:3-latest and prefect-worker:python on the Engine at DOCKER_HOST") {
            let images = ["prefecthq/prefect:3-latest", "prefect-worker:python"]
            return (try? await DockerBench.docker(["image", "inspect"] + images)) != nil
        }
    }
}
