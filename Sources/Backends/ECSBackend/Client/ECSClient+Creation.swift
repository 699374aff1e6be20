internal import AWSAccess
public import BackendKit
internal import PrefectJSON
internal import PrefectREST

extension ECSClient {
    /// Runs the task. The claim is the request's token, so a repetition returns the same task.
    public func create(_ specification: ECSSpecification, for key: RemoteTaskKey) async throws -> String {
        try await failure.converting { try await run(specification, key, isRepeated: false) }
    }

    private func run(
        _ specification: ECSSpecification, _ key: RemoteTaskKey, isRepeated: Bool
    ) async throws -> String {
        let request: JSONValue
        if let earlier = tasks.request(of: key.claimID) {
            request = earlier
        } else {
            request = try await self.request(specification, key)
            tasks.set(request, of: key.claimID)
        }
        let answer: JSONValue
        do {
            answer = try await ecs.repeating(settings.creationRetries).json("RunTask", request)
        } catch let error as RequestFailure where error.reason.code == "ConflictException" {
            // The token belongs to an earlier request of this run.
            guard let found = try await find(key) else { throw error }
            return added(found, key)
        } catch let error as RequestFailure where !error.isTransient && error.reason.code != "" {
            guard !error.hasExpiredKeys else { throw error }
            tasks.set(nil, of: key.claimID)
            guard error.message.contains("TaskDefinition is inactive"), !isRepeated,
                specification.configuration.namedDefinition == nil
            else { throw error }
            // Somebody took the definition out of use after it was described.
            if let arn = request["taskDefinition"]?.stringValue { definitions.forget(arn) }
            return try await run(specification, key, isRepeated: true)
        }
        if let task = answer["tasks"]?[0], let arn = task["taskArn"]?.stringValue {
            let cluster = place.namedCluster ?? task["clusterArn"]?.stringValue
            return added(TaskName(cluster: cluster, arn: arn).text, key)
        }
        // Nothing was started, so the next attempt may be another request.
        tasks.set(nil, of: key.claimID)
        let reason = answer["failures"]?[0]?["reason"]?.stringValue
        throw ECSFailure.placement(reason ?? "AWS gave no task and no reason")
    }

    private func added(_ task: String, _ key: RemoteTaskKey) -> String {
        tasks.set(nil, of: key.claimID)
        tasks.add(task)
        return task
    }

    private func request(_ specification: ECSSpecification, _ key: RemoteTaskKey) async throws -> JSONValue {
        let configuration = specification.configuration
        let found: Definitions.Found
        if let named = configuration.namedDefinition {
            found = try await definitions.named(named)
            try Compatibility.check(configuration, with: found.json)
        } else if let wanted = specification.definition {
            try Compatibility.check(configuration, with: wanted)
            found = try await definitions.find(wanted, for: specification.subject)
        } else {
            throw InfrastructureError(.refused, "The run has no configuration any more; run the flow again")
        }
        guard let prepared = configuration.prepared else {
            throw InfrastructureError(.refused, "The run has no configuration any more; run the flow again")
        }
        let request = TaskRunRequest(
            configuration: configuration, prepared: prepared, definition: found.json, definitionName: found.arn)
        var network: JSONValue?
        if request.needsNetwork {
            network = try await networks.network(
                vpc: configuration.vpcID, configured: configuration.networkConfiguration)
        }
        var json = try request.json(
            network: network, deregisters: found.isNew && configuration.deregistersDefinition, owner: key.owner)
        json["clientToken"] = .string(key.claimID)
        json["startedBy"] = .string(String(key.claimID.prefix(36)))
        return json
    }
}
