internal import OrderedCollections
internal import PrefectJSON

/// The body of `POST /containers/create`, which describes the new container.
struct ContainerRequest {
    /// The labels by which this worker recognises its containers.
    struct Marks {
        /// The worker that owns the container.
        let owner: String
        /// The claim on a flow run for which the container is created.
        let claim: String

        static let ownerLabel = "prefect-worker.owner"
        static let claimLabel = "prefect-worker.claim"
        static let removalLabel = "prefect-worker.remove-at-end"
    }

    let configuration: DockerConfiguration
    let marks: Marks
    /// Whether the Engine supports `host-gateway`, which gives containers the address of the Engine's host.
    let knowsHostGateway: Bool
    /// The directory from which relative paths start.
    let directory: String
    /// The proxy variables of Docker's configuration. The job's own variables take precedence.
    var proxyVariables: [(name: String, value: String)] = []

    /// The request's body.
    var body: JSONValue {
        var labels = configuration.labels
        labels[Marks.ownerLabel] = marks.owner
        labels[Marks.claimLabel] = marks.claim
        if configuration.removesContainer { labels[Marks.removalLabel] = "true" }
        var body: OrderedDictionary<String, JSONValue> = [
            "Tty": false, "OpenStdin": false, "StdinOnce": false, "AttachStdin": false, "AttachStdout": true,
            "AttachStderr": true, "NetworkDisabled": false,
            "Env": .array(environment.map { .string("\($0.key)=\($0.value)") }),
            "Cmd": .array(configuration.commandWords.map(JSONValue.string)), "Image": .string(configuration.image),
            "Labels": JSONValue(labels),
        ]
        let volumes = configuration.volumes
        if !volumes.isEmpty {
            body["Volumes"] = JSONValue.object(
                OrderedDictionary(volumes.map { ($0.target, [:]) }, uniquingKeysWith: { $1 }))
        }
        body.merge(configuration.options.container) { $1 }
        body["HostConfig"] = .object(host)
        if let network = configuration.networks.first, let endpoint = configuration.options.endpoints?[network] {
            body["NetworkingConfig"] = ["EndpointsConfig": .object([network: endpoint])]
        }
        return .object(body)
    }

    private var environment: OrderedDictionary<String, String> {
        guard configuration.options.usesConfiguredProxies else { return configuration.env }
        let proxies = OrderedDictionary(proxyVariables.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        return proxies.merging(configuration.env) { $1 }
    }

    private var host: OrderedDictionary<String, JSONValue> {
        var host: OrderedDictionary<String, JSONValue> = [:]
        if let mode = configuration.networks.first ?? configuration.networkMode { host["NetworkMode"] = .string(mode) }
        let binds = configuration.volumes.compactMap { $0.bind(relativeTo: directory) }
        if !binds.isEmpty { host["Binds"] = .array(binds.map(JSONValue.string)) }
        if let limit = configuration.memoryLimit.flatMap(ByteCount.parse) { host["Memory"] = .int(limit) }
        if let limit = configuration.swapLimit.flatMap(ByteCount.parse) { host["MemorySwap"] = .int(limit) }
        if configuration.isPrivileged { host["Privileged"] = true }
        let hosts = extraHosts
        if !hosts.isEmpty { host["ExtraHosts"] = .array(hosts.map(JSONValue.string)) }
        host.merge(configuration.options.host) { $1 }
        return host
    }

    /// The entries of `ExtraHosts`: the job's own, preceded by the name of the Engine's host where the API may run on
    /// that host.
    private var extraHosts: [String] {
        let own = configuration.options.extraHosts
        let url = configuration.env[DockerConfiguration.apiVariable]
        let isLocal = url.map { url in ["localhost", "127.0.0.1", Self.gateway].contains { url.contains($0) } } ?? true
        guard isLocal, knowsHostGateway, !own.contains(where: { $0.hasPrefix(Self.gateway + ":") }) else { return own }
        return ["\(Self.gateway):host-gateway"] + own
    }

    private static let gateway = "host.docker.internal"
}
