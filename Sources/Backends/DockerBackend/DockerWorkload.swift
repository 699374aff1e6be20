internal import BackendKit
internal import PrefectJSON
internal import PrefectREST

/// The container of one flow run.
final class DockerWorkload: Workload {
    let backend: DockerBackend
    let run: RunContext
    let configuration: DockerConfiguration

    init(backend: DockerBackend, run: RunContext, configuration: DockerConfiguration) {
        self.backend = backend
        self.run = run
        self.configuration = configuration
    }

    var description: JSONValue { configuration.json }
    var runsFlowEngine: Bool { configuration.runsFlowEngine }
    var streamsOutput: Bool { configuration.streamsOutput }
    var afterStart: any Workload {
        DockerWorkload(backend: backend, run: run, configuration: configuration.afterStart)
    }

    var engine: EngineClient { backend.engine }

    /// Stops the container, no matter which worker started it. The container gets SIGTERM, or the signal that its
    /// image names, and SIGKILL after `grace`.
    func stop(_ identifier: InfrastructureIdentifier, grace: Duration, reason: StopReason) async throws {
        let handle = ContainerHandle(identifier, engine.endpoint)
        do {
            try await engine.stop(handle.container, grace: grace)
        } catch let error as EngineError {
            throw handle.failure(error, "Container '\(handle.container)' could not be stopped")
        }
    }

    /// The resource that represents a container in events.
    func resource(_ id: String, name: String) -> JSONValue {
        ["prefect.resource.id": .string("prefect.docker.container.\(id)"), "prefect.resource.name": .string(name)]
    }
}

/// A container, by the identifier that the API stores.
struct ContainerHandle: Sendable {
    let container: String
    /// Whether the container is on this worker's Engine, according to the identifier.
    let isHere: Bool

    init(_ identifier: InfrastructureIdentifier, _ endpoint: EngineEndpoint) {
        let text = identifier.rawValue
        let colon = text.lastIndex(of: ":")
        container = colon.map { String(text[text.index(after: $0)...]) } ?? text
        isHere = colon.map { text[..<$0] == endpoint.baseURL } ?? true
    }

    /// The identifier of a container on this worker's Engine.
    static func identifier(of container: String, on endpoint: EngineEndpoint) -> InfrastructureIdentifier {
        InfrastructureIdentifier(rawValue: "\(endpoint.baseURL):\(container)")
    }

    /// The worker's error for an error of the Engine. A container that is not on this Engine may be on another one.
    func failure(_ error: EngineError, _ subject: String) -> InfrastructureError {
        if error.isNotFound, !isHere {
            return InfrastructureError(
                .notReachable, "\(subject): it is not on this worker's Docker Engine; use a worker with that Engine")
        }
        return error.infrastructureError(subject)
    }
}
