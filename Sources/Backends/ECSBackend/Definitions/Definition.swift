internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// A task definition of AWS, as JSON in the form of its registration.
enum Definition {
    /// The sizes that tasks have unless others are configured: CPU units and MiB.
    static let usualCPU = 1024
    static let usualMemory = 2048

    /// Whether the request of a configuration runs the task on Fargate.
    static func isFargate(_ configuration: ECSConfiguration) -> Bool {
        ["FARGATE", "FARGATE_SPOT"].contains(configuration.launchType)
    }

    /// The network mode of the definition that a configuration yields.
    static func networkMode(of configuration: ECSConfiguration) -> String? {
        configuration.taskDefinition["networkMode"]?.stringValue ?? (isFargate(configuration) ? "awsvpc" : nil)
    }

    /// The definition that a configuration yields for a run.
    static func make(
        _ configuration: ECSConfiguration, for context: PreparationContext, region: String
    ) throws(InfrastructureError) -> JSONValue {
        var definition = configuration.taskDefinition
        var containers = (definition["containerDefinitions"]?.arrayValue ?? []).filter { $0.objectValue != [:] }
        let wanted =
            configuration.containerName ?? ECSConfiguration.containerName(in: [
                "containerDefinitions": .array(containers)
            ])
            ?? ECSConfiguration.usualContainer
        let index = try containerIndex(named: wanted, in: &containers)
        var container = containers[index]
        if container["image"] == nil {
            container["image"] = .string("prefecthq/prefect:\(context.prefectVersion)-python3.11")
        }
        if let environment = container["environment"]?.arrayValue {
            container["environment"] = .array(environment.filter { $0["value"]?.isNull == false })
        }
        if configuration.configuresLogs == true {
            container["logConfiguration"] = logConfiguration(configuration, for: context, region: region)
        }
        setSizes(of: &definition, &container, isFargate: isFargate(configuration))
        containers[index] = container
        definition["containerDefinitions"] = .array(containers)
        definition["family"] = .string(family(of: definition, for: context))
        if isFargate(configuration) {
            var compatibilities = definition["requiresCompatibilities"]?.arrayValue ?? []
            if !compatibilities.contains("FARGATE") { compatibilities.append("FARGATE") }
            definition["requiresCompatibilities"] = .array(compatibilities)
            if definition["networkMode"] == nil { definition["networkMode"] = "awsvpc" }
        }
        definition = withoutEmpties(definition)
        addSecrets(configuration, toContainer: index, of: &definition)
        return definition
    }

    /// The position of the flow's container, which is added where it is missing.
    private static func containerIndex(
        named name: String, in containers: inout [JSONValue]
    ) throws(InfrastructureError) -> Int {
        if let index = containers.firstIndex(where: { $0["name"]?.stringValue == name }) { return index }
        guard name == ECSConfiguration.usualContainer else {
            throw InfrastructureError(
                .refused, "Container '\(name)' not found in task definition; correct the job variable 'container_name'")
        }
        if let index = containers.firstIndex(where: { $0["name"] == nil }) {
            containers[index]["name"] = .string(name)
            return index
        }
        containers.append(["name": .string(name)])
        return containers.count - 1
    }

    private static func logConfiguration(
        _ configuration: ECSConfiguration, for context: PreparationContext, region: String
    ) -> JSONValue {
        let prefix =
            configuration.logPrefix ?? "prefect-logs_\(context.workPool?.name ?? "")_\(subject(of: context))"
        var options: OrderedDictionary<String, JSONValue> = [
            "awslogs-create-group": "true", "awslogs-group": "prefect", "awslogs-region": .string(region),
            "awslogs-stream-prefix": .string(prefix),
        ]
        options.merge(configuration.logOptions) { $1 }
        return ["logDriver": "awslogs", "options": .object(options)]
    }

    /// The id that runs with the same definition share: that of the deployment, or else of the flow.
    static func subject(of context: PreparationContext) -> String {
        func id(_ key: String) -> String? { context.flowRun[key]?.stringValue }
        return id("deployment_id") ?? id("flow_id") ?? id("id") ?? ""
    }

    /// The name of the family in the characters that AWS accepts.
    private static func family(of definition: JSONValue, for context: PreparationContext) -> String {
        let given = definition["family"]?.stringValue ?? ""
        let name = given.isEmpty ? "prefect_\(context.workPool?.name ?? "")_\(subject(of: context))" : given
        let slug = Slug.make(name, lowercased: false, allowing: "_", maximumLength: 255)
        return slug.isEmpty ? "prefect" : slug
    }

    private static func setSizes(of definition: inout JSONValue, _ container: inout JSONValue, isFargate: Bool) {
        for (key, usual) in [("cpu", usualCPU), ("memory", usualMemory)] {
            let given = definition[key].flatMap { isEmpty($0) ? nil : $0 }
            if isFargate {
                definition[key] = .string(text(given ?? .int(usual)))
            } else {
                let number = given.map { $0.intValue ?? Int(text($0)) ?? usual }
                if container[key] == nil { container[key] = .int(number ?? usual) }
                if let given { definition[key] = .string(text(given)) }
            }
        }
    }

    /// A size as AWS takes it.
    static func text(_ size: JSONValue) -> String { size.stringValue ?? size.serialized() }

    /// Adds the secrets of the configuration to the flow's container. They replace variables of their names.
    private static func addSecrets(
        _ configuration: ECSConfiguration, toContainer index: Int, of definition: inout JSONValue
    ) {
        var missing = configuration.secrets.compactMapValues { $0 }
        var containers = definition["containerDefinitions"]?.arrayValue ?? []
        guard !missing.isEmpty, containers.indices.contains(index) else { return }
        if let environment = containers[index]["environment"]?.arrayValue {
            containers[index]["environment"] = .array(
                environment.filter { missing[$0["name"]?.stringValue ?? ""] == nil })
        }
        var secrets = containers[index]["secrets"]?.arrayValue ?? []
        for position in secrets.indices {
            guard let arn = missing.removeValue(forKey: secrets[position]["name"]?.stringValue ?? "") else { continue }
            secrets[position]["valueFrom"] = .string(arn)
        }
        secrets += missing.map { ["name": .string($0.key), "valueFrom": .string($0.value)] }
        containers[index]["secrets"] = .array(secrets)
        definition["containerDefinitions"] = .array(containers)
    }

    // MARK: Empty values

    /// Whether a value counts as absent. `false` does not.
    static func isEmpty(_ value: JSONValue) -> Bool {
        switch value {
        case .null, "", .int(0), .double(0): true
        case .array(let elements): elements.isEmpty
        case .object(let members): members.isEmpty
        default: false
        }
    }

    /// A value without empty members at any depth. A member that only becomes empty by that stays.
    static func withoutEmpties(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            .object(members.filter { !isEmpty($0.value) }.mapValues { withoutEmpties($0) })
        case .array(let elements): .array(elements.map { $0.objectValue == nil ? $0 : withoutEmpties($0) })
        default: value
        }
    }
}
