internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// The job configuration of a flow run that runs in a Docker container.
///
/// Reading validates as much as possible, so that nothing is created for a job that could not run.
struct DockerConfiguration: Sendable {
    /// The policy that decides when an image is pulled.
    enum PullPolicy: String, Sendable, Hashable {
        case ifNotPresent = "IfNotPresent"
        case always = "Always"
        /// The image is pulled. If the pull fails, the image that the Engine already has is used.
        case ifPossible = "IfPossible"
        case never = "Never"
    }

    /// The command line, which is split into words as in a shell.
    private(set) var command: String?
    /// The environment of the container.
    private(set) var env: OrderedDictionary<String, String>
    /// The labels of the container. Preparation turns their keys into Docker's form.
    private(set) var labels: OrderedDictionary<String, String>
    /// The name of the container; `nil` lets the Engine choose one.
    private(set) var name: String?
    /// The name of the image.
    private(set) var image: String
    /// Whether the command is the flow engine's own, rather than one from the job.
    private(set) var runsFlowEngine = true
    /// Whether the worker prints the container's output.
    let streamsOutput: Bool
    /// Whether the container is removed after its end.
    let removesContainer: Bool

    let words: [String]?
    private(set) var credentials: JSONValue?
    let configuredPullPolicy: PullPolicy?
    let networks: [String]
    let configuredNetworkMode: String?
    private(set) var volumes: [VolumeMount]
    let memoryLimit: String?
    let swapLimit: String?
    let isPrivileged: Bool
    private(set) var createKeywords: JSONValue?
    private(set) var options: CreateOptions
    private var base: BaseJobConfiguration

    /// Reads a rendered job configuration. Throws an `InfrastructureError` of the kind `refused` that names the job
    /// variable.
    init(rendered: JSONValue) throws(InfrastructureError) {
        base = try InfrastructureError.refusing { try BaseJobConfiguration(rendered: rendered) }
        command = base.command
        words = try Self.words(of: base.command)
        env = base.env.compactMapValues { $0 }
        labels = base.labels
        name = base.name
        let fields = RenderedFields(rendered)
        if let value = rendered["image"], value.isNull {
            throw fields.mismatch("image", "the name of an image", value)
        }
        image = try fields.text("image", expected: "the name of an image") ?? ""
        credentials = try fields.object("registry_credentials")
        if let policy = try fields.text("image_pull_policy"), !policy.isEmpty {
            guard let known = PullPolicy(rawValue: policy) else {
                throw InfrastructureError(
                    .refused,
                    "The job variable 'image_pull_policy' is '\(policy)'; it should be Always, IfNotPresent, IfPossible or "
                        + "Never")
            }
            configuredPullPolicy = known
        } else {
            configuredPullPolicy = nil
        }
        networks = try fields.texts("networks")
        configuredNetworkMode = try fields.text("network_mode").flatMap { $0.isEmpty ? nil : $0 }
        removesContainer = try fields.boolean("auto_remove", default: false)
        var volumes: [VolumeMount] = []
        for entry in try fields.texts("volumes") { volumes.append(try VolumeMount(entry)) }
        self.volumes = volumes
        streamsOutput = try fields.boolean("stream_output", default: true)
        memoryLimit = try Self.byteCount("mem_limit", rendered, fields)
        swapLimit = try Self.byteCount("memswap_limit", rendered, fields)
        isPrivileged = try fields.boolean("privileged", default: false)
        createKeywords = try fields.object("container_create_kwargs")
        options = try CreateOptions(createKeywords)
    }

    private static func words(of command: String?) throws(InfrastructureError) -> [String]? {
        guard let command else { return nil }
        guard let words = try? ShellWords.split(command), words.first?.isEmpty == false else {
            throw InfrastructureError(
                .refused,
                "The job's command cannot be split into words: it is empty, or a quotation mark is not closed; "
                    + "correct it"
            )
        }
        return words
    }

    private static func byteCount(
        _ field: String, _ rendered: JSONValue, _ fields: RenderedFields
    ) throws(InfrastructureError) -> String? {
        if let number = rendered[field]?.intValue { return String(number) }
        guard let text = try fields.text(field, expected: "a number of bytes like 512m"), !text.isEmpty else {
            return nil
        }
        guard ByteCount.parse(text) != nil else {
            throw InfrastructureError(
                .refused,
                "The job variable '\(field)' is '\(text)'; it should be a number of bytes with a unit, like 512m or 2g")
        }
        return text
    }

    /// Completes the configuration for one flow run.
    func prepared(for context: PreparationContext) throws(InfrastructureError) -> Self {
        var context = context
        if networkMode(settings: context.settingsEnvironment) != "host" {
            // Inside the container, the worker's host has another name.
            for (index, setting) in context.settingsEnvironment.enumerated() where setting.name == Self.apiVariable {
                context.settingsEnvironment[index].value = setting.value
                    .replacing("localhost", with: "host.docker.internal")
                    .replacing("127.0.0.1", with: "host.docker.internal")
            }
        }
        let prepared = try InfrastructureError.refusing { try base.prepare(for: context) }
        var result = self
        result.command = prepared.command
        result.runsFlowEngine = !prepared.commandIsConfigured
        result.env = prepared.env
        result.labels = OrderedDictionary(
            prepared.labels.map { (Slug.dockerLabelKey($0.key), $0.value) }, uniquingKeysWith: { $1 })
        result.name = Slug.dockerContainerName(prepared.name)
        if image.isEmpty { result.image = "prefecthq/prefect:\(context.prefectVersion)-python3.11" }
        return result
    }

    /// The configuration without what only the start of the run needs.
    var afterStart: Self {
        var result = self
        result.base = .empty
        result.env = [:]
        result.labels = [:]
        result.credentials = nil
        result.createKeywords = nil
        result.options = CreateOptions()
        result.volumes = []
        return result
    }

    static let apiVariable = "PREFECT_API_URL"

    /// The words of the command; by default the flow engine's.
    var commandWords: [String] { words ?? ["prefect", "flow-run", "execute"] }

    /// The configured pull policy. By default, an image whose name may refer to a different image each time is always
    /// pulled.
    var pullPolicy: PullPolicy {
        configuredPullPolicy ?? (ImageReference(image).isMoving ? .always : .ifNotPresent)
    }

    /// The mode of the container's network; `nil` for the Engine's default. An API on this host is reached through the
    /// host's network, unless the job configures something else.
    var networkMode: String? { networkMode(settings: []) }

    private func networkMode(settings: [(name: String, value: String)]) -> String? {
        if let configuredNetworkMode { return configuredNetworkMode }
        guard networks.isEmpty else { return nil }
        let url = env[Self.apiVariable] ?? settings.last { $0.name == Self.apiVariable }?.value ?? ""
        guard let scheme = url.firstRange(of: "://") else { return nil }
        let host = url[scheme.upperBound...].prefix { $0 != "/" && $0 != ":" && $0 != "?" }
        return host == "localhost" || host == "127.0.0.1" ? "host" : nil
    }

    var json: JSONValue {
        [
            "command": JSONValue(command), "env": JSONValue(env), "labels": JSONValue(labels), "name": JSONValue(name),
            "image": .string(image), "registry_credentials": credentials ?? .null,
            "image_pull_policy": JSONValue(configuredPullPolicy?.rawValue),
            "networks": .array(networks.map(JSONValue.string)), "network_mode": JSONValue(configuredNetworkMode),
            "auto_remove": .bool(removesContainer), "volumes": .array(volumes.map { .string($0.text) }),
            "stream_output": .bool(streamsOutput), "mem_limit": JSONValue(memoryLimit),
            "memswap_limit": JSONValue(swapLimit), "privileged": .bool(isPrivileged),
            "container_create_kwargs": createKeywords ?? .null,
        ]
    }
}
