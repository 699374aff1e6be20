internal import BackendKit
internal import PrefectJSON
internal import PrefectREST

// Providing the image of a job's container.
extension DockerWorkload {
    /// Makes sure that the Engine has the job's image, as the job's pull policy requires.
    func provideImage() async throws {
        let image = configuration.image
        switch configuration.pullPolicy {
        case .never: return
        case .ifNotPresent:
            do {
                if try await backend.persistently({ try await engine.hasImage(image) }) { return }
            } catch let error as EngineError {
                throw error.infrastructureError("The image '\(image)' could not be looked up", exitCode: 125)
            }
            try await pull()
        case .always: try await pull()
        case .ifPossible:
            do {
                try await pull()
            } catch let failure as InfrastructureError {
                guard (try? await engine.hasImage(image)) == true else {
                    throw InfrastructureError(
                        .refused, "\(failure.message); the Docker Engine has no copy of the image", exitCode: 125)
                }
                run.reporter.log(.warning, "\(failure.message); the Docker Engine's copy of the image is used")
            }
        }
    }

    private func pull() async throws {
        let name = configuration.image
        let image = ImageReference(name)
        let authorization = try await authorization(for: image)
        do {
            try await backend.persistently {
                var progress = PullProgress(image: name, began: .now)
                try await engine.pull(image, authorization: authorization) { message in
                    if let line = progress.note(message, at: .now) { run.reporter.log(.info, line) }
                }
                if let line = progress.summary(at: .now) { run.reporter.log(.info, line) }
            }
        } catch let error as EngineError {
            let failure = error.infrastructureError(
                "The image '\(name)' could not be pulled",
                remedy: "check its name and tag, the registry and 'registry_credentials'", exitCode: 125)
            throw failure.kind == .unavailable
                ? failure : InfrastructureError(.refused, failure.message, exitCode: 125)
        }
    }

    /// The authorization for the image's registry: the job's own credentials, or else those of Docker's configuration.
    /// Credentials are sent to no other registry than their own.
    private func authorization(for image: ImageReference) async throws -> String? {
        if var credentials = try configuration.registryCredentials {
            do {
                let token = try await backend.persistently { try await engine.authenticate(credentials) }
                if let token { credentials.identityToken = token }
            } catch let error as EngineError {
                let failure = error.infrastructureError(
                    "The registry '\(credentials.server)' does not accept the credentials in 'registry_credentials'",
                    remedy: "correct the block or the job variable", exitCode: 125)
                throw InfrastructureError(
                    failure.kind == .unavailable ? .unavailable : .refused, failure.message, exitCode: 125)
            }
            if RegistryCredentials.isSame(credentials.server, image.registry) { return credentials.header }
            run.reporter.log(
                .warning,
                "'registry_credentials' are for '\(credentials.server)', not for the image's registry "
                    + "'\(image.registry)', and are not sent there")
        }
        do {
            return try await ConfiguredCredentials(
                directory: backend.configurationDirectory, environment: backend.options.environment
            )
            .find(for: image)?.header
        } catch let failure as CredentialHelper.Failure {
            // The image may be public.
            run.reporter.log(.warning, "Pulling '\(configuration.image)' without credentials: \(failure)")
            return nil
        }
    }
}

extension DockerConfiguration {
    /// The job's own credentials, from a block or given in full.
    var registryCredentials: RegistryCredentials? {
        get throws(InfrastructureError) {
            guard let credentials else { return nil }
            func text(_ name: String) throws(InfrastructureError) -> String {
                guard let text = credentials[name]?.stringValue, !text.isEmpty else {
                    throw InfrastructureError(
                        .refused,
                        "The job variable 'registry_credentials' has no '\(name)'; name a block of the type "
                            + "docker-registry-credentials or give username, password and registry_url")
                }
                return text
            }
            return RegistryCredentials(
                username: try text("username"), password: try text("password"), server: try text("registry_url"))
        }
    }
}

/// The progress of an image pull, as lines for the log when the pull takes long.
struct PullProgress: Sendable {
    private struct Layer {
        var current = 0
        var total = 0
        var isDone = false
    }

    private let image: String
    private let began: ContinuousClock.Instant
    private var lastReport: ContinuousClock.Instant
    private var layers: [String: Layer] = [:]
    private var hasReported = false

    /// The minimum time between two lines.
    private static let interval = Duration.seconds(5)
    /// The largest number of layers that are followed; a hostile stream may name any number.
    private static let mostLayers = 1000

    init(image: String, began: ContinuousClock.Instant) {
        self.image = image
        self.began = began
        lastReport = began
    }

    /// Records a message of the pull. Returns a line when the next line is due.
    mutating func note(_ message: JSONValue, at now: ContinuousClock.Instant) -> String? {
        if let id = message["id"]?.stringValue, let status = message["status"]?.stringValue,
            layers[id] != nil || layers.count < Self.mostLayers
        {
            switch status {
            case "Pulling fs layer", "Waiting": layers[id, default: Layer()].isDone = false
            case "Downloading":
                let detail = message["progressDetail"]
                var layer = layers[id, default: Layer()]
                layer.current = detail?["current"]?.intValue ?? layer.current
                layer.total = detail?["total"]?.intValue ?? layer.total
                layers[id] = layer
            case "Download complete", "Verifying Checksum", "Extracting":
                let total = layers[id]?.total ?? 0
                layers[id]?.current = total
            case "Pull complete", "Already exists": layers[id, default: Layer()].isDone = true
            default: break
            }
        }
        guard now - lastReport >= Self.interval else { return nil }
        lastReport = now
        hasReported = true
        let done = layers.values.count(where: \.isDone)
        let current = layers.values.reduce(0) { $0 &+ max(0, $1.current) }
        let total = layers.values.reduce(0) { $0 &+ max(0, $1.total) }
        let bytes = total > 0 ? ", \(ByteCount.text(current)) of \(ByteCount.text(total))" : ""
        return "Pulling image '\(image)': \(done) of \(layers.count) layers\(bytes)"
    }

    /// The final line; `nil` if no line was returned before.
    func summary(at now: ContinuousClock.Instant) -> String? {
        hasReported ? "Pulled image '\(image)' in \((now - began).components.seconds) s" : nil
    }
}
