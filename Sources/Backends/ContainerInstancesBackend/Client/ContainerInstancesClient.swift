internal import AzureAccess
public import BackendKit
internal import HTTPTransport
internal import PrefectJSON
internal import PrefectREST

/// The requests to one resource group.
public struct ContainerInstancesClient: RemoteTaskClient {
    /// A validated job of the type `azure-container-instance`.
    public typealias Specification = ContainerInstancesSpecification
    /// A container group as Azure describes it.
    public typealias Status = GroupStatus

    /// One listing covers all groups of a resource group.
    public static var watchPolicy: WatchPolicy {
        WatchPolicy(batchSize: .max, spacing: .seconds(5), absences: 3, interval: WatchPolicy.polling)
    }

    /// The engine within a container learns of a cancellation by itself, as with the Python worker.
    public static var hookTime: Duration { .seconds(10) }

    let place: ContainerInstancesPlace
    let arm: ResourceManager
    let known = KnownGroups()
    /// The times of a creation.
    var timing = CreationTiming()

    /// A client of a place.
    init(place: ContainerInstancesPlace, arm: ResourceManager) {
        self.place = place
        self.arm = arm
    }

    /// The resource group, its subscription and the identity of the credentials.
    public var name: String {
        let identity = place.credentials.application?.clientID ?? place.credentials.managedIdentityClientID
        let application = identity.map { " as '\($0)'" } ?? ""
        guard let group = place.group else { return "Azure Container Instances\(application)" }
        return "resource group '\(group.name)' of subscription '\(group.subscription)'\(application)"
    }

    // MARK: Names

    /// The flow run's id and the name of the container group.
    public func identifier(of task: String) -> InfrastructureIdentifier {
        guard let task = GroupTask(text: task) else { return InfrastructureIdentifier(rawValue: task) }
        return task.identifier(in: place.group)
    }

    /// The task of an identifier of this worker or of the Python worker.
    public func task(of identifier: InfrastructureIdentifier) throws -> String {
        var task = try GroupTask(identifier)
        if place.group != nil, task.location == nil || task.location == place.group { task.location = nil }
        guard task.location != nil || place.group != nil else {
            throw InfrastructureError(
                .notReachable,
                "The resource group of '\(identifier)' is not known, because the job's configuration cannot be read")
        }
        return task.text
    }

    /// The flow run and the claim of a group.
    public func origin(of orphan: String) -> RemoteTaskOrigin? {
        GroupTask(text: orphan).map { RemoteTaskOrigin(flowRunID: $0.flowRunID, claimID: $0.claimID) }
    }

    /// The page of the container group in the portal.
    public func consoleURL(of task: String) -> String? {
        guard let task = GroupTask(text: task), let place = task.location ?? place.group else { return nil }
        return "\(arm.identity.cloud.portal)/#resource\(Requests.group(task.group, in: place).encoded)/overview"
    }

    // MARK: Meaning

    /// The exit status of the first container.
    public func end(of status: GroupStatus) -> ExitStatus? { status.end }

    /// The state of a container that has not begun.
    public func reasonForWaiting(_ status: GroupStatus) -> String? { status.reasonForWaiting }

    /// Shows each new problem that Azure reports, such as an image that cannot be pulled.
    public func report(
        _ status: GroupStatus, after previous: GroupStatus?, of task: String, to reporter: any JobReporter
    ) {
        guard let warning = status.warning, warning != previous?.warning else { return }
        reporter.log(.warning, "Azure Container Instances reports: \(warning)")
    }

    // MARK: Requests

    /// The task and its resource group.
    func located(_ text: String) throws -> (task: GroupTask, place: ResourceGroup) {
        guard let task = GroupTask(text: text), let place = task.location ?? place.group else {
            throw RemoteTaskError(.notFound, "'\(text)' names no container group")
        }
        return (task, place)
    }

    /// Runs requests, and says what their failures mean.
    func translating<Result>(
        in place: ResourceGroup, isCreation: Bool = false, _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            return try await body()
        } catch let failure as RequestFailure {
            throw Failures.error(failure, in: place, isCreation: isCreation)
        }
    }

    /// A container group; `nil` when Azure knows none of this name.
    func group(_ name: String, in place: ResourceGroup) async throws -> GroupStatus? {
        do {
            let answer = try await arm.send(
                .get, Requests.group(name, in: place), version: Requests.containerGroups,
                operation: "read container group '\(name)'")
            return GroupStatus(try answer.json())
        } catch let failure as RequestFailure where failure.isMissingGroup {
            return nil
        }
    }

    /// The group of a task; `nil` when it does not exist or belongs to another attempt at the run.
    func own(_ task: GroupTask, in place: ResourceGroup) async throws -> GroupStatus? {
        guard let group = try await group(task.group, in: place), task.isSame(as: group) else { return nil }
        return group
    }

    /// All container groups of a resource group.
    func groups(in place: ResourceGroup) async throws -> [(name: String, status: GroupStatus)] {
        try await arm.list(
            Requests.groups(in: place), version: Requests.containerGroups,
            operation: "list the container groups of '\(place.name)'"
        ).compactMap { json in
            guard let name = json["name"]?.stringValue, let status = GroupStatus(json) else { return nil }
            return (name, status)
        }
    }
}

extension RequestFailure {
    /// Whether the failure says that a group or a deployment does not exist, and nothing else does not.
    var isMissingGroup: Bool { isNotFound && reason.code != "SubscriptionNotFound" }
}

extension GroupTask {
    /// Whether a group of this name is that of the task, and not of another attempt at the run.
    func isSame(as group: GroupStatus) -> Bool { claimID == nil || group.claim == nil || group.claim == claimID }
}
