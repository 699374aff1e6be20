internal import AzureAccess
public import BackendKit
internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// The times of a creation.
struct CreationTiming: Sendable {
    /// The pauses between two looks at a deployment.
    var pauses = Backoff(from: .seconds(1), to: .seconds(15))
    /// The time after which the group of a deployment that is under way is looked for. It may wait for its image.
    var patience = Duration.seconds(10)
    /// The pause between two looks at a group that is being deleted.
    var deletion = Duration.seconds(2)
    /// How many groups of other attempts are removed.
    static let mostAttempts = 3
}

extension ContainerInstancesClient {
    /// Deploys the container group, and returns as soon as it exists. Names follow from the run, so a repeated request
    /// finds what an earlier one has created.
    ///
    /// A group of an earlier attempt at the run is deleted first: the server has given the run to this claim.
    public func create(_ specification: ContainerInstancesSpecification, for key: RemoteTaskKey) async throws -> String
    {
        guard let place = specification.place.group, let name = specification.group else {
            throw RemoteTaskError(.refused, "The job has no configuration from which a container group can be made")
        }
        let task = GroupTask(flowRunID: key.flowRunID, group: name, claimID: key.claimID)
        return try await translating(in: place, isCreation: true) {
            for _ in 0..<CreationTiming.mostAttempts {
                if let group = try await group(name, in: place) {
                    if group.claim == key.claimID { return task.text }
                    try await remove(name, in: place)
                }
                let operation = try await deploy(specification, for: key, task, in: place)
                if try await follow(task, operation, in: place) { return task.text }
            }
            throw RemoteTaskError(
                .full, "Another worker's attempt at the run still uses the container group '\(name)'")
        }
    }

    /// The group that was created for a key, also while its deployment is under way.
    public func find(
        _ specification: ContainerInstancesSpecification, for key: RemoteTaskKey
    ) async throws -> String? {
        guard let place = specification.place.group else {
            throw InfrastructureError(
                .notReachable, "The resource group of the run is not known, because its configuration cannot be read")
        }
        guard let name = specification.group else { return try await find(key) }
        let task = GroupTask(flowRunID: key.flowRunID, group: name, claimID: key.claimID)
        return try await translating(in: place) {
            if let group = try await group(name, in: place), group.claim == key.claimID { return task.text }
            guard let state = try await deployment(task, in: place), state.isActive else { return nil }
            do {
                return try await follow(task, nil, in: place) ? task.text : nil
            } catch let error as RemoteTaskError where error.kind == .refused || error.kind == .full {
                return nil
            }
        }
    }

    /// The group with the mark of a claim.
    public func find(_ key: RemoteTaskKey) async throws -> String? {
        guard let place = place.group else { return nil }
        return try await translating(in: place) {
            let groups = try await groups(in: place)
            return groups.first { $0.status.claim == key.claimID }.map { group in
                GroupTask(flowRunID: key.flowRunID, group: group.name, claimID: key.claimID).text
            }
        }
    }

    // MARK: Deployments

    /// The state of a deployment.
    struct DeploymentState {
        let state: String
        let fault: ResourceFault?

        var isActive: Bool { !["Succeeded", "Failed", "Canceled"].contains(state) }
    }

    /// A deployment that has been accepted.
    private struct Operation {
        var url: String?
        var pause: Duration?
    }

    /// Requests the deployment. An active deployment of the same name counts as accepted, because the name is the run's.
    private func deploy(
        _ specification: ContainerInstancesSpecification, for key: RemoteTaskKey, _ task: GroupTask,
        in place: ResourceGroup
    ) async throws -> Operation? {
        let body: JSONValue
        do {
            body = try specification.deployment(for: key, of: task)
        } catch {
            throw RemoteTaskError(.refused, error.message)
        }
        do {
            // A repeated deployment would start a container that has ended once more.
            let answer = try await arm.send(
                .put, Requests.deployment(task.deployment, in: place), version: Requests.deployments, body: body,
                repeatsApplied: false, operation: "create container group '\(task.group)'")
            // The operation of a private cloud may have another host; then the deployment itself is read.
            let url = answer.head.headers["Azure-AsyncOperation"].flatMap { arm.serves($0) ? $0 : nil }
            return Operation(url: url, pause: RetryAfter.read(answer.head.headers))
        } catch let failure as RequestFailure where failure.isConflict && failure.reason.code == "DeploymentActive" {
            return nil
        }
    }

    /// Waits until the group exists. Returns `false` when another attempt's deployment was followed and has ended.
    /// Throws when the deployment has failed.
    private func follow(_ task: GroupTask, _ operation: Operation?, in place: ResourceGroup) async throws -> Bool {
        let began = ContinuousClock.now
        var looks = 0
        var url = operation?.url
        var pause = operation?.pause
        while true {
            looks += 1
            let ownPause = timing.pauses.pause(afterFailures: looks)
            try await Task.sleep(for: pause.map { min(max($0, timing.pauses.shortest), .seconds(30)) } ?? ownPause)
            let state: DeploymentState?
            do {
                (state, pause) = try await look(at: task, url, in: place)
            } catch let failure as RequestFailure where failure.isNotFound && url != nil {
                // The operation is forgotten earlier than the deployment.
                url = nil
                continue
            }
            guard let state else { return try await claims(task, in: place) }
            switch state.state {
            case "Succeeded":
                if operation != nil { return true }
                return try await claims(task, in: place)
            case "Failed", "Canceled":
                if try await claims(task, in: place) == false, operation == nil { return false }
                let fault = try await fault(of: state, task, in: place)
                await discard(task, in: place)
                throw Failures.error(fault, of: task)
            default:
                guard ContinuousClock.now - began >= timing.patience else { continue }
                if try await claims(task, in: place) { return true }
            }
        }
    }

    /// Whether the group exists with the mark of the task's claim.
    private func claims(_ task: GroupTask, in place: ResourceGroup) async throws -> Bool {
        try await group(task.group, in: place).map { $0.claim == task.claimID } ?? false
    }

    private func look(
        at task: GroupTask, _ url: String?, in place: ResourceGroup
    ) async throws -> (DeploymentState?, Duration?) {
        guard let url else { return (try await deployment(task, in: place), nil) }
        let answer = try await arm.follow(url, operation: "read the deployment of '\(task.group)'")
        let json = try answer.json()
        return (
            DeploymentState(state: json["status"]?.stringValue ?? "", fault: ResourceFault(json["error"])),
            RetryAfter.read(answer.head.headers)
        )
    }

    /// The state of the task's deployment; `nil` when Azure knows none of its name.
    func deployment(_ task: GroupTask, in place: ResourceGroup) async throws -> DeploymentState? {
        do {
            let json = try await arm.send(
                .get, Requests.deployment(task.deployment, in: place), version: Requests.deployments,
                operation: "read deployment '\(task.deployment)'"
            ).json()
            return DeploymentState(
                state: json["properties"]?["provisioningState"]?.stringValue ?? "",
                fault: ResourceFault(json["properties"]?["error"]))
        } catch let failure as RequestFailure where failure.isMissingGroup {
            return nil
        }
    }

    private func fault(
        of state: DeploymentState, _ task: GroupTask, in place: ResourceGroup
    ) async throws -> ResourceFault {
        if let fault = state.fault { return fault }
        return try await deployment(task, in: place)?.fault
            ?? ResourceFault(code: "Deployment\(state.state)", message: "the deployment gives no reason")
    }

    /// Removes the rest of a failed deployment, as far as possible; the sweep finds a group that remains.
    private func discard(_ task: GroupTask, in place: ResourceGroup) async {
        _ = try? await requestDeletion(of: task.group, in: place)
        _ = try? await requestDeletion(ofDeployment: task.deployment, in: place)
    }

    /// Deletes a group of an earlier attempt, and waits until it is gone.
    private func remove(_ name: String, in place: ResourceGroup) async throws {
        repeat {
            if try await requestDeletion(of: name, in: place) { return }
            try await Task.sleep(for: timing.deletion)
        } while try await group(name, in: place) != nil
    }
}
