internal import BackendKit
internal import OrderedCollections
internal import PrefectJSON

/// A template that the Resource Manager deploys. Its first resource is the container group, and the group's first
/// container runs the flow.
struct ARMTemplate: Sendable, Hashable {
    /// The values with which the container group is completed.
    struct Values {
        let environment: OrderedDictionary<String, String>
        let words: [String]
        let image: String
        let registry: RegistryAccess?
        let identities: [String]
        let subnets: [String]
        let nameServers: [String]
        let gpu: (count: Int?, sku: String?)
        let tags: OrderedDictionary<String, String>
    }

    /// The template, with secrets.
    private(set) var json: JSONValue
    /// The tags of the template itself.
    private let ownTags: JSONValue?

    /// The variables of the environment whose values Azure must not show.
    private static let secrets: Set<String> = ["PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"]
    /// The most tags of a resource.
    private static let mostTags = 50

    /// The beginning of the names of parameters for texts of the run.
    static let textPrefix = "prefect_text_"

    /// Checks a template. Throws an error of the kind `refused`.
    init(_ json: JSONValue) throws(InfrastructureError) {
        self.json = json
        let group = json["resources"]?[0]
        ownTags = group?["tags"]
        let problem: String? =
            if group?.objectValue == nil {
                "has no resource"
            } else if group?["properties"]?.objectValue == nil {
                "has no 'properties' in its first resource, which should be a container group"
            } else if group?["properties"]?["containers"]?[0]?["properties"]?.objectValue == nil {
                "has no container with 'properties' in its first resource"
            } else if let ownTags, !ownTags.isNull, ownTags.objectValue == nil {
                "has 'tags' that are not an object"
            } else {
                nil
            }
        if let problem {
            throw InfrastructureError(
                .refused, "The work pool's 'arm_template' \(problem); correct the base job template")
        }
    }

    /// Completes the container group for one flow run.
    mutating func complete(with values: Values) throws(InfrastructureError) {
        guard var group = json["resources"]?[0], var properties = group["properties"],
            var container = properties["containers"]?[0], var inner = container["properties"]
        else { return }
        inner["environmentVariables"] = .array(
            values.environment.map { name, value in
                [
                    "name": .string(name),
                    Self.secrets.contains(name) ? "secureValue" : "value": .string(value),
                ]
            })
        inner["command"] = .array(values.words.map(JSONValue.string))
        inner["image"] = .string(values.image)
        if let count = values.gpu.count, count > 0, let sku = values.gpu.sku {
            var resources = inner["resources"] ?? [:]
            var requests = resources["requests"] ?? [:]
            requests["gpu"] = requests["gpu"] ?? ["count": .int(count), "sku": .string(sku)]
            resources["requests"] = requests
            inner["resources"] = resources
        }
        container["properties"] = inner
        var containers = properties["containers"]?.arrayValue ?? []
        if !containers.isEmpty { containers[0] = container }
        properties["containers"] = .array(containers)
        if let registry = values.registry { properties["imageRegistryCredentials"] = [registry.json] }
        if !values.subnets.isEmpty {
            properties["subnetIds"] = .array(values.subnets.map { ["id": .string($0)] })
        }
        if !values.nameServers.isEmpty {
            properties["dnsConfig"] = ["nameServers": .array(values.nameServers.map(JSONValue.string))]
        }
        group["properties"] = properties
        if !values.identities.isEmpty {
            let identities = OrderedDictionary(
                values.identities.map { ($0, JSONValue.object([:])) }, uniquingKeysWith: { $1 })
            group["identity"] = ["type": "UserAssigned", "userAssignedIdentities": .object(identities)]
        }
        replaceGroup(group)
        try add(tags: values.tags)
        let count = json["resources"]?[0]?["tags"]?.objectValue?.count ?? 0
        guard count + ResourceTags.marks <= Self.mostTags else {
            throw InfrastructureError(
                .refused,
                "The job has \(count) labels and tags; Azure accepts \(Self.mostTags - ResourceTags.marks) besides the "
                    + "worker's own tags: remove some")
        }
    }

    /// The template with further tags of the container group; those of the template itself remain.
    func adding(tags: OrderedDictionary<String, String>) throws(InfrastructureError) -> ARMTemplate {
        var template = self
        try template.add(tags: tags)
        return template
    }

    private mutating func add(tags: OrderedDictionary<String, String>) throws(InfrastructureError) {
        guard var group = json["resources"]?[0] else { return }
        var known = group["tags"]?.objectValue ?? [:]
        for (name, value) in tags where known[name] == nil { known[name] = .string(value) }
        group["tags"] = .object(known)
        replaceGroup(group)
    }

    private mutating func replaceGroup(_ group: JSONValue) {
        var resources = json["resources"]?.arrayValue ?? []
        if !resources.isEmpty { resources[0] = group }
        json["resources"] = .array(resources)
    }

    /// The template with only its own tags, as a part of the configuration.
    var withoutTags: JSONValue {
        var template = self
        guard var group = json["resources"]?[0] else { return json }
        group["tags"] = ownTags
        template.replaceGroup(group)
        return template.json
    }

    /// A deployment in which Azure takes the values of the run as they are.
    struct Literal: Sendable, Hashable {
        /// The template.
        var template: JSONValue
        /// The values of its parameters.
        var parameters: JSONValue
        private var names: [String: String] = [:]

        init(template: JSONValue, parameters: JSONValue) {
            self.template = template
            self.parameters = parameters
        }

        /// A text that stands for itself. Azure evaluates a text in brackets as an expression, with the permissions of
        /// the worker, and values of parameters never. A text in double brackets already stands for one in brackets.
        mutating func literal(_ text: String, isSecret: Bool = false) -> JSONValue {
            guard text.hasPrefix("["), !(text.hasPrefix("[[") && text.hasSuffix("]")) else { return .string(text) }
            let name = names[text] ?? "\(ARMTemplate.textPrefix)\(names.count + 1)"
            names[text] = name
            var declared = template["parameters"] ?? [:]
            declared[name] = ["type": isSecret ? "securestring" : "string"]
            template["parameters"] = declared
            parameters[name] = ["value": .string(text)]
            return .string("[parameters('\(name)')]")
        }
    }

    /// The deployment of a container group of a name.
    func deployment(of group: String) -> Literal {
        var result = Literal(template: json, parameters: ["container_group_name": ["value": .string(group)]])
        guard var group = json["resources"]?[0], var properties = group["properties"],
            var containers = properties["containers"]?.arrayValue, var container = containers.first,
            var inner = container["properties"]
        else { return result }
        var variables = inner["environmentVariables"]?.arrayValue ?? []
        for index in variables.indices {
            for field in ["value", "secureValue"] {
                guard let text = variables[index][field]?.stringValue else { continue }
                variables[index][field] = result.literal(text, isSecret: field == "secureValue")
            }
        }
        inner["environmentVariables"] = .array(variables)
        inner["command"] = .array((inner["command"]?.arrayValue ?? []).map { result.literal($0.stringValue ?? "") })
        container["properties"] = inner
        containers[0] = container
        properties["containers"] = .array(containers)
        group["properties"] = properties
        var tags = group["tags"]?.objectValue ?? [:]
        for (name, value) in tags where ownTags?[name] == nil {
            if let text = value.stringValue { tags[name] = result.literal(text) }
        }
        if !tags.isEmpty { group["tags"] = .object(tags) }
        var resources = json["resources"]?.arrayValue ?? []
        if !resources.isEmpty { resources[0] = group }
        result.template["resources"] = .array(resources)
        return result
    }
}
