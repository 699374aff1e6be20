internal import AzureAccess
internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// The job configuration of a flow run that runs in a container group.
///
/// Reading validates as much as possible, so that nothing is created for a job that could not run.
struct ContainerInstancesConfiguration: Sendable {
    private(set) var base: BaseJobConfiguration
    /// The resource group; `nil` for a job that is only watched and stopped.
    let place: ResourceGroup?
    let credentials: AzureCredentials
    /// The name of the image; `nil` for Prefect's own.
    private(set) var image: String?
    let entrypoint: String?
    let identities: [String]
    let registry: RegistryAccess?
    let cpu: JSONValue
    let memory: JSONValue
    let gpu: (count: Int?, sku: String?)
    let subnets: [String]
    let nameServers: [String]
    let streamsOutput: Bool
    let keepsGroup: Bool
    let words: [String]?
    /// The template that the Resource Manager deploys; preparation completes it.
    private(set) var template: ARMTemplate?
    private let rendered: JSONValue

    /// The program before the command, as in Prefect's images.
    private static let defaultEntrypoint = "/opt/prefect/entrypoint.sh"

    /// Reads a rendered job configuration. Throws an `InfrastructureError` of the kind `refused` that names the job
    /// variable.
    ///
    /// - Parameter isComplete: Whether fields without a default must be present.
    init(rendered: JSONValue, isComplete: Bool) throws(InfrastructureError) {
        self.rendered = rendered
        base = try InfrastructureError.refusing { try BaseJobConfiguration(rendered: rendered) }
        words = try Self.words(of: base.command)
        let fields = RenderedFields(rendered)
        func text(_ field: String) throws(InfrastructureError) -> String? {
            try fields.text(field).flatMap { $0.isEmpty ? nil : $0 }
        }
        let group = try text("resource_group_name")
        let subscription = try text("subscription_id")
        if let group, let subscription {
            place = ResourceGroup(subscription: subscription, name: group)
        } else if isComplete {
            let field = group == nil ? "resource_group_name" : "subscription_id"
            throw InfrastructureError(
                .refused, "The job variable '\(field)' is missing; give the container groups a place in Azure")
        } else {
            place = nil
        }
        do {
            credentials = try AzureCredentials(block: rendered["aci_credentials"] ?? .null)
        } catch {
            throw InfrastructureError(.refused, error.description)
        }
        if let value = rendered["image"], value.isNull {
            throw fields.mismatch("image", "the name of an image", value)
        }
        image = try text("image")
        entrypoint = rendered["entrypoint"] == nil ? Self.defaultEntrypoint : try text("entrypoint")
        identities = try Self.texts("identities", rendered, fields)
        subnets = try Self.texts("subnet_ids", rendered, fields)
        nameServers = try Self.texts("dns_servers", rendered, fields)
        registry = try RegistryAccess(rendered["image_registry"] ?? .null)
        cpu = try Self.size("cpu", rendered, fields)
        memory = try Self.size("memory", rendered, fields)
        gpu = (count: try Self.count("gpu_count", rendered, fields), sku: try text("gpu_sku"))
        streamsOutput = try fields.boolean("stream_output", default: false)
        keepsGroup = try fields.boolean("keep_container_group", default: false)
        for field in ["task_start_timeout_seconds", "task_watch_poll_interval"] {
            _ = try Self.presentNumber(field, rendered, fields)
        }
        _ = try Self.count("task_start_timeout_seconds", rendered, fields)
        template = try fields.object("arm_template").map { json throws(InfrastructureError) in try ARMTemplate(json) }
        if isComplete, template == nil {
            throw InfrastructureError(
                .refused, "The job configuration has no 'arm_template'; take the work pool's default template")
        }
    }

    private static func words(of command: String?) throws(InfrastructureError) -> [String]? {
        guard let command else { return nil }
        guard let words = try? ShellWords.split(command), words.first?.isEmpty == false else {
            throw InfrastructureError(
                .refused,
                "The job's command cannot be split into words: it is empty, or a quotation mark is not closed; "
                    + "correct it")
        }
        return words
    }

    private static func texts(
        _ field: String, _ rendered: JSONValue, _ fields: RenderedFields
    ) throws(InfrastructureError) -> [String] {
        rendered[field]?.isNull == true ? [] : try fields.texts(field)
    }

    private static func number(
        _ field: String, _ rendered: JSONValue, _ fields: RenderedFields
    ) throws(InfrastructureError) -> Double? {
        guard let value = rendered[field], !value.isNull else { return nil }
        guard let number = value.doubleValue ?? value.stringValue.flatMap({ Double($0) }), number.isFinite else {
            throw fields.mismatch(field, "a number", value)
        }
        return number
    }

    /// A number that may be absent and must not be null.
    private static func presentNumber(
        _ field: String, _ rendered: JSONValue, _ fields: RenderedFields
    ) throws(InfrastructureError) -> Double? {
        if let value = rendered[field], value.isNull { throw fields.mismatch(field, "a number", value) }
        return try number(field, rendered, fields)
    }

    /// A number of CPUs or gigabytes.
    private static func size(
        _ field: String, _ rendered: JSONValue, _ fields: RenderedFields
    ) throws(InfrastructureError) -> JSONValue {
        let number = try presentNumber(field, rendered, fields) ?? 1
        guard number > 0 else {
            throw InfrastructureError(.refused, "The job variable '\(field)' should be more than 0; raise it")
        }
        return .double(number)
    }

    private static func count(
        _ field: String, _ rendered: JSONValue, _ fields: RenderedFields
    ) throws(InfrastructureError) -> Int? {
        guard let number = try number(field, rendered, fields) else { return nil }
        guard let count = Int(exactly: number), count >= 0 else {
            throw fields.mismatch(field, "a whole number from 0", rendered[field] ?? .null)
        }
        return count
    }

    /// Completes the configuration for one flow run.
    func prepared(for context: PreparationContext) throws(InfrastructureError) -> PreparedContainerInstances {
        let prepared = try InfrastructureError.refusing { try base.prepare(for: context) }
        guard var template else {
            throw InfrastructureError(.refused, "The job configuration has no 'arm_template'; give it one")
        }
        let image = image ?? "prefecthq/prefect:\(context.prefectVersion)-python3.11"
        try template.complete(
            with: .init(
                environment: prepared.env, words: (entrypoint.map { [$0] } ?? []) + (words ?? Self.engineWords),
                image: image, registry: registry, identities: identities, subnets: subnets, nameServers: nameServers,
                gpu: gpu, tags: ResourceTags.tags(of: prepared.labels)))
        var fields = Self.defaults
        for (field, value) in prepared.json.objectValue ?? [:] { fields[field] = value }
        fields["image"] = .string(image)
        // A number may be given as a text.
        let fieldsOfJob = RenderedFields(rendered)
        if let seconds = try Self.count("task_start_timeout_seconds", rendered, fieldsOfJob) {
            fields["task_start_timeout_seconds"] = .int(seconds)
        }
        if let seconds = try Self.number("task_watch_poll_interval", rendered, fieldsOfJob) {
            fields["task_watch_poll_interval"] = .double(seconds)
        }
        if let count = gpu.count { fields["gpu_count"] = .int(count) }
        fields["stream_output"] = .bool(streamsOutput)
        fields["keep_container_group"] = .bool(keepsGroup)
        fields["cpu"] = cpu
        fields["memory"] = memory
        fields["entrypoint"] = rendered["entrypoint"] ?? JSONValue(entrypoint)
        fields["arm_template"] = template.withoutTags
        return PreparedContainerInstances(
            fields: fields, template: template, isEngine: !prepared.commandIsConfigured, ignored: ignored)
    }

    private static let engineWords = ["prefect", "flow-run", "execute"]

    /// The fields that a template of an earlier version may lack.
    private static let defaults: JSONValue = [
        "command": nil, "env": [:], "labels": [:], "name": nil, "image": nil, "resource_group_name": nil,
        "subscription_id": nil, "identities": nil, "entrypoint": nil, "image_registry": nil, "cpu": 1.0,
        "gpu_count": nil, "gpu_sku": nil, "memory": 1.0, "subnet_ids": nil, "dns_servers": nil, "stream_output": false,
        "aci_credentials": nil, "task_start_timeout_seconds": 240, "task_watch_poll_interval": 5.0,
        "arm_template": nil, "keep_container_group": false,
    ]

    /// The job variables that are set and have no effect.
    private var ignored: [String] {
        var names: [String] = []
        if base.name?.isEmpty == false { names.append("name") }
        if (gpu.count ?? 0) > 0, gpu.sku == nil { names.append("gpu_count") }
        if gpu.sku != nil, (gpu.count ?? 0) == 0 { names.append("gpu_sku") }
        for field in ["task_start_timeout_seconds", "task_watch_poll_interval"] {
            guard let number = rendered[field]?.doubleValue, number != Self.defaults[field]?.doubleValue else {
                continue
            }
            names.append(field)
        }
        return names
    }
}

/// A configuration that is ready for one flow run.
struct PreparedContainerInstances: Sendable {
    /// The fields of the job configuration, with secrets.
    let fields: JSONValue
    let template: ARMTemplate
    /// Whether the command is the flow engine's own.
    let isEngine: Bool
    /// The job variables that are set and have no effect.
    let ignored: [String]
}

/// The credentials for a private registry.
enum RegistryAccess: Sendable, Hashable {
    case identity(server: String, id: String)
    case user(server: String, name: String, password: String)

    /// Reads the job variable; `nil` for null.
    init?(_ json: JSONValue) throws(InfrastructureError) {
        guard !json.isNull else { return nil }
        func text(_ field: String) -> String? { json[field]?.stringValue.flatMap { $0.isEmpty ? nil : $0 } }
        guard let server = text("registry_url") else { throw Self.incomplete }
        if let id = text("identity") {
            self = .identity(server: server, id: id)
        } else if let name = text("username"), let password = text("password") {
            self = .user(server: server, name: name, password: password)
        } else {
            throw Self.incomplete
        }
    }

    private static var incomplete: InfrastructureError {
        InfrastructureError(
            .refused,
            "The job variable 'image_registry' needs 'registry_url' and either 'identity' or 'username' and 'password'; "
                + "complete it")
    }

    /// The form of the container group.
    var json: JSONValue {
        switch self {
        case .identity(let server, let id): ["server": .string(server), "identity": .string(id)]
        case .user(let server, let name, let password):
            ["server": .string(server), "username": .string(name), "password": .string(password)]
        }
    }

    /// The registry and the kind of its credentials, for people.
    var description: String {
        switch self {
        case .identity(let server, _): "registry \(server) by a managed identity"
        case .user(let server, let name, _): "registry \(server) as user '\(name)'"
        }
    }
}
