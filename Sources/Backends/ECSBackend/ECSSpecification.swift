internal import AWSAccess
public import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// A cluster of an account, and the credentials for it.
public struct ECSPlace: Sendable, Hashable {
    let credentials: AWSConfiguration
    let region: String
    /// The cluster of requests; `nil` for the account's default one.
    let cluster: String?
    /// The cluster in identifiers; `nil` for its ARN. Only the field `cluster` counts, as for the Python worker.
    let namedCluster: String?

    /// The place in messages and records.
    var name: String {
        let owner = credentials.name.map { " (\($0))" } ?? ""
        return "ECS cluster '\(cluster ?? "default")' in \(region)\(owner)"
    }
}

/// A job that runs as an ECS task.
public struct ECSSpecification: RemoteTaskSpecification {
    /// The cluster that the task runs in.
    public let place: ECSPlace
    let configuration: ECSConfiguration
    /// The definition to register; `nil` when the job names one, and for a task that is only watched.
    let definition: JSONValue?
    /// The deployment or flow whose runs have this definition.
    let subject: String
    /// How long the run waits for capacity.
    public let capacityPatience: Duration?

    /// Whether the task is Prefect's own flow engine.
    public var runsFlowEngine: Bool { configuration.prepared?.commandIsConfigured != true }

    /// The configuration, the requests to AWS and the job variables without effect.
    public var description: JSONValue {
        var shown = configuration.json
        shown["requests"] = .array((try? requests) ?? [])
        let ignored = configuration.ignoredVariables
        if !ignored.isEmpty { shown["ignored_job_variables"] = .array(ignored.map { .string($0) }) }
        return shown
    }

    /// The requests in their order. Values that only an answer gives are in angle brackets.
    private var requests: [JSONValue] {
        get throws {
            guard let prepared = configuration.prepared else { return [] }
            func request(_ service: String, _ operation: String, _ parameters: JSONValue) -> JSONValue {
                ["service": .string(service), "operation": .string(operation), "parameters": parameters]
            }
            var requests: [JSONValue] = []
            let name: String
            if let named = configuration.namedDefinition {
                requests.append(request("ecs", "DescribeTaskDefinition", ["taskDefinition": .string(named)]))
                name = named
            } else {
                if configuration.matchesLatestRevision, let family = definition?["family"] {
                    requests.append(request("ecs", "DescribeTaskDefinition", ["taskDefinition": family]))
                }
                requests.append(request("ecs", "RegisterTaskDefinition", definition ?? .null))
                name = "<the ARN of the task definition>"
            }
            let run = TaskRunRequest(
                configuration: configuration, prepared: prepared, definition: definition ?? assumedDefinition,
                definitionName: name)
            var network: JSONValue?
            if run.needsNetwork {
                let byID: JSONValue? = configuration.vpcID.map { ["VpcIds": [.string($0)]] }
                requests.append(
                    request(
                        "ec2", "DescribeVpcs", byID ?? ["Filters": [["Name": "isDefault", "Values": ["true"]]]]))
                let vpc = configuration.vpcID ?? "<the default VPC>"
                requests.append(
                    request(
                        "ec2", "DescribeSubnets", ["Filters": [["Name": "vpc-id", "Values": [.string(vpc)]]]]))
                network = ["awsvpcConfiguration": awsvpc]
            }
            let deregisters = configuration.deregistersDefinition && configuration.namedDefinition == nil
            requests.append(
                request("ecs", "RunTask", try run.json(network: network, deregisters: deregisters, owner: nil)))
            return requests
        }
    }

    private var awsvpc: JSONValue {
        if configuration.networkConfiguration.objectValue?.isEmpty == false {
            return configuration.networkConfiguration
        }
        return ["subnets": ["<all subnets of the VPC>"], "assignPublicIp": "ENABLED", "securityGroups": []]
    }

    /// A named definition is not known before AWS describes it. Fargate requires this network mode.
    private var assumedDefinition: JSONValue {
        configuration.launchType == "EC2" || configuration.launchType == "EXTERNAL" ? [:] : ["networkMode": "awsvpc"]
    }
}
