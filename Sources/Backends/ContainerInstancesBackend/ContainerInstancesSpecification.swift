internal import AzureAccess
public import BackendKit
internal import JobTemplates
internal import OrderedCollections
public import PrefectJSON

/// The part of Azure that one client covers: a resource group with the credentials for it.
public struct ContainerInstancesPlace: Sendable, Hashable {
    /// The resource group; `nil` where only the identifiers of container groups name it.
    let group: ResourceGroup?
    let credentials: AzureCredentials
}

/// A validated job of the type `azure-container-instance`.
public struct ContainerInstancesSpecification: RemoteTaskSpecification {
    /// Where the container group runs.
    public let place: ContainerInstancesPlace
    /// Whether the command is the flow engine's own.
    public let runsFlowEngine: Bool
    /// Whether the worker prints the container's output.
    public let streamsOutput: Bool
    /// Whether the container group is kept after the end of the run.
    public let isKept: Bool
    /// How long the run may wait for capacity or quota.
    public let capacityPatience: Duration?
    /// The name of the container group; `nil` for a job that is only watched and stopped.
    let group: String?
    let flowRunID: String
    let prepared: PreparedContainerInstances?
    let cloud: AzureCloud

    /// The fields of the job configuration, the requests to Azure, and the job variables without effect.
    public var description: JSONValue {
        var shown = prepared?.fields ?? [:]
        shown["requests"] = .array(requests(keepsOthers: false).map(Self.withoutTexts))
        if let ignored = prepared?.ignored, !ignored.isEmpty {
            shown["ignored_job_variables"] = .array(ignored.map(JSONValue.string))
        }
        return shown
    }

    /// A request without the texts in its parameters. Their names do not tell which of them are secret.
    private static func withoutTexts(_ request: JSONValue) -> JSONValue {
        guard var body = request["body"], var properties = body["properties"],
            var parameters = properties["parameters"]?.objectValue
        else { return request }
        for name in parameters.keys where name.hasPrefix(ARMTemplate.textPrefix) {
            parameters[name] = ["value": "********"]
        }
        properties["parameters"] = .object(parameters)
        body["properties"] = properties
        var shown = request
        shown["body"] = body
        return shown
    }

    /// The name that the service chooses for the container when nothing else names it.
    private static let unnamed = "CONTAINER"

    /// The requests of the run, in order.
    ///
    /// - Parameter keepsOthers: Whether requests are included that this job does not cause.
    func requests(keepsOthers: Bool) -> [JSONValue] {
        guard let group, let place = place.group, let prepared else { return [] }
        let task = GroupTask(flowRunID: flowRunID, group: group)
        let version = Requests.containerGroups
        var requests = [
            Requests.shown(
                "PUT", Requests.deployment(task.deployment, in: place), Requests.deployments,
                body: Self.deployment(of: task, prepared.template), cloud: cloud),
            Requests.shown("GET", Requests.group(group, in: place), version, cloud: cloud),
        ]
        if streamsOutput || keepsOthers {
            requests.append(
                Requests.shown(
                    "GET", Requests.logs(of: Self.unnamed, in: group, place), version,
                    query: Requests.logQuery(tail: LogReader.shortestTail), cloud: cloud))
        }
        requests.append(Requests.shown("POST", Requests.stop(group, in: place), version, cloud: cloud))
        if !isKept || keepsOthers {
            requests.append(Requests.shown("DELETE", Requests.group(group, in: place), version, cloud: cloud))
        }
        return requests
    }

    /// The body of the request that creates the container group with the marks of its worker.
    func deployment(for key: RemoteTaskKey, of task: GroupTask) throws(InfrastructureError) -> JSONValue {
        guard let prepared else { return [:] }
        let marks = ResourceTags.marks(of: key, isKept: isKept)
        var body = Self.deployment(of: task, try prepared.template.adding(tags: marks))
        body["tags"] = JSONValue(marks)
        return body
    }

    private static func deployment(of task: GroupTask, _ template: ARMTemplate) -> JSONValue {
        let deployment = template.deployment(of: task.group)
        return [
            "properties": [
                "mode": "Incremental", "template": deployment.template, "parameters": deployment.parameters,
            ]
        ]
    }
}
