internal import BackendKit
internal import FoundationEssentials
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

// Creating and starting the container of a job.
extension DockerWorkload {
    /// Provides the image, creates the container, joins its networks and starts it. If the container cannot be
    /// started, it is removed again. A job that the Engine refuses ends with the Engine's own message.
    func start() async throws -> InfrastructureIdentifier {
        for keyword in configuration.options.ignored {
            run.reporter.log(
                .warning, "container_create_kwargs: '\(keyword)' is ignored; use the job variable of that name")
        }
        backend.inUse.beginCreation(for: run.claimID)
        defer { backend.inUse.endCreation(for: run.claimID) }
        try await provideImage()
        let container = try await create()
        backend.inUse.add(container, isNew: true)
        do {
            for network in configuration.networks.dropFirst() {
                do {
                    try await backend.persistently { try await engine.connect(container, toNetwork: network) }
                } catch let error as EngineError where !error.isTransient {
                    throw error.infrastructureError(
                        "The container could not join the network '\(network)'",
                        remedy: "create it, or change 'networks'",
                        exitCode: 125
                    ).refused
                }
            }
            try await launch(container)
        } catch {
            backend.inUse.remove(container)
            // A container whose start was interrupted is kept, because it is found again by its claim.
            if error is InfrastructureError { try? await engine.remove(container, force: true) }
            throw error
        }
        return ContainerHandle.identifier(of: container, on: engine.endpoint)
    }

    // MARK: Creating

    /// The number of names of the form `name-1` to try before a random one is used.
    private static let namesTried = 100

    /// Creates the container exactly once, even when answers of the Engine are lost.
    private func create() async throws -> String {
        let configuration = configuration
        let version = try await backend.persistently { try await engine.version() }
        let body = ContainerRequest(
            configuration: configuration, marks: .init(owner: backend.owner, claim: run.claimID),
            knowsHostGateway: version.knowsHostGateway, directory: FileManager.default.currentDirectoryPath,
            proxyVariables: backend.configurationDirectory.proxyVariables(for: engine.endpoint.baseURL)
        ).body
        var name = configuration.name
        var conflicts = 0
        var failures = 0
        var mayExist = false
        while true {
            if mayExist, let found = try await backend.persistently({ try await find() }) { return found }
            do {
                let (id, warnings) = try await engine.create(body, name: name, platform: configuration.options.platform)
                for warning in warnings where !warning.isEmpty {
                    run.reporter.log(.warning, "The Docker Engine warns: \(warning)")
                }
                await reportCreated(id, name: name)
                return id
            } catch let error as EngineError {
                if error.status == 409, error.message.contains("in use"), let wanted = configuration.name {
                    // The container that holds the name may have been created for this very claim.
                    mayExist = true
                    conflicts += 1
                    name =
                        conflicts <= Self.namesTried
                        ? "\(wanted)-\(conflicts)" : "\(wanted)-\(UUID().uuidString.prefix(8).lowercased())"
                    continue
                }
                if error.isTransient {
                    mayExist = mayExist || error.mayHaveBeenApplied
                    guard try await backend.availability.mayRepeat(after: &failures) else { throw error }
                    continue
                }
                // A creation that failed inside the Engine may have produced a container, too.
                if error.mayHaveBeenApplied, let left = try? await find() {
                    try? await engine.remove(left, force: true)
                }
                run.reporter.emit(
                    event: "prefect.docker.container.creation-failed", resource: workerResource(configuration),
                    payload: [:])
                throw refusal(of: error, configuration)
            }
        }
    }

    /// The id of the container that was created for the job's claim; `nil` if there is none.
    func find() async throws -> String? {
        let found = try await engine.list(labels: ["\(ContainerRequest.Marks.claimLabel)=\(run.claimID)"])
        return (found.first { $0.status != "created" } ?? found.first)?.id
    }

    private func reportCreated(_ id: String, name: String?) async {
        var name = name
        if name == nil { name = try? await engine.inspect(id).name }
        run.reporter.emit(
            event: "prefect.docker.container.created", resource: resource(id, name: name ?? ""), payload: [:])
    }

    /// The worker as the resource of an event, because there is no container that the event could name.
    private func workerResource(_ configuration: DockerConfiguration) -> JSONValue {
        let name = configuration.labels["io.prefect.worker-name"] ?? ""
        return [
            "prefect.resource.id": .string("prefect.worker.\(DockerBackend.traits.type).\(Slug.make(name))"),
            "prefect.resource.name": .string(name),
            "prefect.version": JSONValue(configuration.labels["io.prefect.version"]),
            "prefect.worker-type": .string(DockerBackend.traits.type),
        ]
    }

    private func refusal(of error: EngineError, _ configuration: DockerConfiguration) -> InfrastructureError {
        if error.isNotFound, error.message.lowercased().contains("no such image") {
            return InfrastructureError(
                .refused,
                "The Docker Engine has no image '\(configuration.image)', and 'image_pull_policy' does not allow "
                    + "pulling it; pull it, or change the policy", exitCode: 125)
        }
        return error.infrastructureError(
            "The container could not be created", remedy: "correct the job variables", exitCode: 125
        ).refused
    }

    // MARK: Starting

    /// Starts the container exactly once. When an answer is lost, the container's own state shows whether it was
    /// started.
    private func launch(_ container: String) async throws {
        var failures = 0
        while true {
            do {
                try await engine.start(container)
                return
            } catch let error as EngineError where error.isTransient {
                guard try await backend.availability.mayRepeat(after: &failures) else { throw error }
                do {
                    if try await backend.persistently({ try await engine.inspect(container) }).status != "created" {
                        return
                    }
                } catch let error as EngineError {
                    throw error.infrastructureError("The container could not be started").refused
                }
            } catch let error as EngineError {
                throw error.infrastructureError(
                    "The container could not be started", remedy: Self.remedy(error),
                    exitCode: Self.exitCode(error)
                ).refused
            }
        }
    }

    /// The exit code that `docker run` would return.
    private static func exitCode(_ error: EngineError) -> Int {
        let message = error.message
        if message.contains("executable file not found") || message.contains("no such file or directory") { return 127 }
        if message.contains("permission denied") || message.contains("is a directory") { return 126 }
        return 125
    }

    private static func remedy(_ error: EngineError) -> String {
        switch exitCode(error) {
        case 126, 127: "check the job's command and the image"
        default:
            error.message.contains("network") ? "check the job's networks" : "see the Engine's own log for more"
        }
    }
}

extension InfrastructureError {
    /// The same error, with `notFound` replaced by `refused`. An object that the Engine does not find here is not the
    /// run's infrastructure, so the job is at fault.
    fileprivate var refused: InfrastructureError {
        kind == .notFound ? InfrastructureError(.refused, message, exitCode: exitCode) : self
    }
}
