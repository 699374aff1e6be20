internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// The request that runs a task.
struct TaskRunRequest: Sendable {
    let configuration: ECSConfiguration
    /// The command, the environment and the labels of the run.
    let prepared: PreparedJobConfiguration
    /// The definition that the task has.
    let definition: JSONValue
    /// The definition's name in the request.
    let definitionName: String

    /// The mark on tasks whose definition is deregistered after their end, as the Python worker spells it.
    static let deregistrationTag = "prefect.io/degregister-task-definition"
    /// The mark on the tasks of one worker.
    static let ownerTag = "prefect-worker.owner"
    /// The greatest number of tags of a task.
    static let mostTags = 50

    /// Whether the task needs a network of a VPC that the request does not give.
    var needsNetwork: Bool {
        guard definition["networkMode"] == "awsvpc" else { return false }
        if configuration.networkConfiguration.objectValue?.isEmpty == false { return configuration.vpcID != nil }
        return configuration.taskRunRequest["networkConfiguration"].map { Definition.isEmpty($0) } ?? true
    }

    /// The request.
    ///
    /// - Parameters:
    ///   - network: The network that the request does not give; `nil` when it needs none.
    ///   - deregisters: Whether the definition is deregistered after the end of the task.
    ///   - owner: The mark of the worker; `nil` for a request that is only shown.
    func json(network: JSONValue?, deregisters: Bool, owner: String?) throws(InfrastructureError) -> JSONValue {
        var request = configuration.taskRunRequest
        request["taskDefinition"] = .string(definitionName)
        if let cluster = configuration.cluster, request["cluster"]?.stringValue ?? "" == "" {
            request["cluster"] = .string(cluster)
        }
        setLaunchType(of: &request)
        if let network { request["networkConfiguration"] = network }
        if var overrides = request["overrides"], overrides.objectValue != nil {
            try complete(&overrides)
            request["overrides"] = overrides
        }
        let tags = try self.tags(of: request, deregisters: deregisters, owner: owner)
        if !tags.isEmpty { request["tags"] = .array(tags) }
        return request
    }

    private func setLaunchType(of request: inout JSONValue) {
        let requiresEC2 = definition["requiresCompatibilities"]?.arrayValue?.contains("EC2") ?? false
        if configuration.launchType == nil { request["launchType"] = requiresEC2 ? nil : "FARGATE" }
        if !configuration.capacityProviders.isEmpty {
            request["launchType"] = nil
        } else if configuration.launchType == "FARGATE_SPOT" {
            request["launchType"] = nil
            request["capacityProviderStrategy"] = [["capacityProvider": "FARGATE_SPOT", "weight": 1]]
        }
    }

    // MARK: Overrides

    private func complete(_ overrides: inout JSONValue) throws(InfrastructureError) {
        for size in ["cpu", "memory"] {
            if let given = overrides[size], !Definition.isEmpty(given) {
                overrides[size] = .string(Definition.text(given))
            }
        }
        var containers = overrides["containerOverrides"]?.arrayValue ?? []
        let name =
            configuration.containerName ?? ECSConfiguration.containerName(in: definition)
            ?? ECSConfiguration.usualContainer
        if !containers.isEmpty, containers[0]["name"]?.stringValue ?? "" == "" { containers[0]["name"] = .string(name) }
        let own = containers.firstIndex { $0["name"]?.stringValue == name }
        if let own { containers[own]["command"] = .string(prepared.command) }
        for index in containers.indices {
            if let command = containers[index]["command"]?.stringValue {
                containers[index]["command"] = .array(try Self.words(of: command).map { .string($0) })
            }
            let environment = Self.variables(containers[index]["environment"] ?? .array([]))
            containers[index]["environment"] = .array(environment.filter { $0["value"]?.isNull == false })
        }
        if let own {
            let others = (containers[own]["environment"]?.arrayValue ?? []).filter {
                prepared.env[$0["name"]?.stringValue ?? ""] == nil
            }
            let variables = prepared.env.filter { !isSecret($0.key, in: name) }
            containers[own]["environment"] = .array(
                others + variables.map { ["name": .string($0.key), "value": .string($0.value)] })
        }
        overrides["containerOverrides"] = .array(containers.filter { $0.objectValue != [:] })
    }

    /// Whether the definition gives a container a variable from a secret, which a value in clear would replace.
    private func isSecret(_ variable: String, in container: String) -> Bool {
        guard ECSConfiguration.secretNames.contains(variable) else { return false }
        let found = definition["containerDefinitions"]?.arrayValue?.first { $0["name"]?.stringValue == container }
        return found?["secrets"]?.arrayValue?.contains { $0["name"]?.stringValue == variable } ?? false
    }

    private static func words(of command: String) throws(InfrastructureError) -> [String] {
        try InfrastructureError.refusing {
            do {
                return try ShellWords.split(command)
            } catch {
                throw InfrastructureError(
                    .refused,
                    "The job variable 'command' cannot be split into words: a quote or an escape has no end; "
                        + "correct it")
            }
        }
    }

    private static func variables(_ environment: JSONValue) -> [JSONValue] {
        if let list = environment.arrayValue { return list }
        return (environment.objectValue ?? [:]).map { ["name": .string($0.key), "value": $0.value] }
    }

    // MARK: Tags

    private func tags(
        of request: JSONValue, deregisters: Bool, owner: String?
    ) throws(InfrastructureError) -> [JSONValue] {
        var given = request["tags"]?.arrayValue ?? []
        if let object = request["tags"]?.objectValue {
            given = object.map { ["key": .string($0.key), "value": $0.value] }
        }
        given = given.filter { prepared.labels[$0["key"]?.stringValue ?? ""] == nil }
        var tags = (given + prepared.labels.map { ["key": .string($0.key), "value": .string($0.value)] }).map { tag in
            JSONValue.object([
                "key": .string(Self.slug(tag["key"]?.stringValue ?? "")),
                "value": .string(Self.slug(tag["value"].map { $0.stringValue ?? $0.serialized() } ?? "", longest: 256)),
            ])
        }
        if deregisters { tags.append(["key": .string(Self.deregistrationTag), "value": "true"]) }
        guard tags.count <= Self.mostTags else {
            throw InfrastructureError(
                .refused, "The task would have \(tags.count) tags, and AWS accepts \(Self.mostTags); remove labels")
        }
        for tag in tags {
            let key = tag["key"]?.stringValue ?? ""
            if key.lowercased().hasPrefix("aws:") || key.isEmpty || key.utf8.count > 128 {
                throw InfrastructureError(
                    .refused,
                    "The label '\(key)' is no key of a tag that AWS accepts: it has 1 to 128 characters and does not begin "
                        + "with 'aws:'; correct it")
            }
        }
        if let owner, tags.count < Self.mostTags {
            tags.append(["key": .string(Self.ownerTag), "value": .string(owner)])
        }
        return tags
    }

    /// A text in the characters of tags. Letters outside ASCII are replaced and not transliterated.
    static func slug(_ text: String, longest: Int? = nil) -> String {
        let replaced = String(String.UnicodeScalarView(text.unicodeScalars.map { $0.isASCII ? $0 : "-" }))
        return Slug.make(replaced, lowercased: false, allowing: "_./=+:@", maximumLength: longest)
    }
}
