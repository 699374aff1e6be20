internal import AzureAccess
public import BackendKit
internal import HTTPTransport
internal import PrefectREST

extension ContainerInstancesClient {
    /// Stops the containers of the group. A group that does not exist yet is not deployed any more.
    public func stop(_ task: String, grace: Duration, reason: StopReason) async throws {
        let (task, place) = try located(task)
        try await translating(in: place) {
            guard let group = try await own(task, in: place) else {
                guard try await cancel(task, in: place) else {
                    throw RemoteTaskError(.notFound, "The container group '\(task.group)' does not exist")
                }
                return
            }
            if group.end != nil { return }
            _ = try await arm.send(
                .post, Requests.stop(task.group, in: place), version: Requests.containerGroups,
                operation: "stop container group '\(task.group)'")
        }
    }

    /// Deletes the group, whatever its state.
    public func kill(_ task: String) async throws { _ = try await delete(task) }

    /// Deletes the group and its deployment. Returns `true` when neither exists any more.
    public func delete(_ task: String) async throws -> Bool {
        let (task, place) = try located(task)
        return try await translating(in: place) {
            if let group = try await group(task.group, in: place) {
                // The name may belong to another attempt at the run by now.
                guard task.isSame(as: group) else { return true }
                guard try await requestDeletion(of: task.group, in: place) else { return false }
            }
            known.forget(task.group)
            return try await deleteDeployment(of: task, in: place)
        }
    }

    /// Deletes the deployment. An active one is cancelled first, so that it creates no group.
    private func deleteDeployment(of task: GroupTask, in place: ResourceGroup) async throws -> Bool {
        guard let state = try await deployment(task, in: place) else { return true }
        if state.isActive {
            _ = try await cancel(task, in: place)
            return false
        }
        do {
            try await requestDeletion(ofDeployment: task.deployment, in: place)
        } catch let failure as RequestFailure where failure.isMissingGroup {}
        return true
    }

    /// Requests that Azure delete a group. Returns whether it does not exist.
    func requestDeletion(of group: String, in place: ResourceGroup) async throws -> Bool {
        try await arm.send(
            .delete, Requests.group(group, in: place), version: Requests.containerGroups,
            operation: "delete container group '\(group)'"
        ).status == 204
    }

    /// Requests that Azure forget a deployment.
    func requestDeletion(ofDeployment name: String, in place: ResourceGroup) async throws {
        _ = try await arm.send(
            .delete, Requests.deployment(name, in: place), version: Requests.deployments,
            operation: "delete deployment '\(name)'")
    }

    /// Cancels an active deployment. Returns `false` when none is active.
    private func cancel(_ task: GroupTask, in place: ResourceGroup) async throws -> Bool {
        guard try await deployment(task, in: place)?.isActive == true else { return false }
        do {
            _ = try await arm.send(
                .post, Requests.cancellation(of: task.deployment, in: place), version: Requests.deployments,
                operation: "cancel deployment '\(task.deployment)'")
        } catch let failure as RequestFailure where failure.isMissingGroup || failure.isConflict {
            // It has ended meanwhile.
        }
        return true
    }

    /// The groups with the mark of a worker that have ended, or have not begun within ten minutes.
    public func orphans(of owner: String, creating claims: Set<String>) async throws -> [String] {
        guard let place = place.group else { return [] }
        return try await translating(in: place) {
            var orphans: [String] = []
            for (name, listed) in try await groups(in: place) where listed.owner == owner {
                let last = known[name]
                // The watch reads a group that it knows.
                if !listed.isDetailed, let last, last.status.hasBegun { continue }
                let status = listed.isDetailed ? listed : try await group(name, in: place)
                guard let status else { continue }
                known.note(status, of: name, isRead: true)
                let waited = ContinuousClock.now - (known[name]?.since ?? .now)
                guard status.end != nil || !status.hasBegun && waited >= OrphanSweep.grace else { continue }
                orphans.append(GroupTask(flowRunID: run(of: name), group: name, claimID: status.claim).text)
            }
            return orphans
        }
    }

    /// The flow run's id, which ends the name of a group.
    private func run(of name: String) -> String { String(name.suffix(36)) }
}
