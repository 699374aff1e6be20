internal import AWSAccess
public import BackendKit
internal import Logging
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// The requests to one cluster of ECS.
///
/// The engine's name for a task is the one that the API stores: `<cluster>::<ARN of the task>`.
public struct ECSClient: RemoteTaskClient {
    /// A validated job configuration.
    public typealias Specification = ECSSpecification
    /// The state of a task.
    public typealias Status = TaskStatus

    /// AWS describes 100 tasks in one request. One request in 5 s covers any number of runs.
    public static var watchPolicy: WatchPolicy {
        WatchPolicy(batchSize: 100, spacing: .seconds(5), absences: 3, interval: { _ in .seconds(5) })
    }

    /// A container may take 2 minutes to end, and its network some more time.
    public static var stopMargin: Duration { .seconds(180) }

    let place: ECSPlace
    let connection: AWSConnection
    let ecs: AWSClient
    let definitions: Definitions
    let networks: Networks
    let settings: ECSSettings
    let queue: TaskEventQueue?
    let logger: Logger
    let tasks = ECSTasks()

    /// The place in messages and records.
    public var name: String { place.name }

    var failure: ECSFailure { ECSFailure(cluster: place.cluster ?? "default", region: place.region) }

    // MARK: Identifiers

    /// The task of an identifier. A task of another region is out of reach.
    public func task(of identifier: InfrastructureIdentifier) throws -> String {
        guard let name = TaskName(identifier.rawValue), name.region == place.region else {
            throw InfrastructureError(
                .notReachable, "'\(identifier)' is no ECS task in \(place.region), where the job's credentials lead")
        }
        return name.text
    }

    /// The task's page in the console of AWS.
    public func consoleURL(of task: String) -> String? {
        guard let name = TaskName(task), let host = connection.consoleHost else { return nil }
        let cluster = PercentEncoding.encode(name.clusterName)
        return "https://\(place.region).\(host)/ecs/v2/clusters/\(cluster)/tasks/\(PercentEncoding.encode(name.id))"
            + "?region=\(place.region)"
    }

    // MARK: Statuses

    /// How the task ended.
    public func end(of status: TaskStatus) -> ExitStatus? { status.end }

    /// Why the task has not begun.
    public func reasonForWaiting(_ status: TaskStatus) -> String? { status.reasonForWaiting }

    /// Describes tasks, and adds the last lines of those that crashed.
    public func describe(_ names: [String]) async throws -> [String: TaskStatus] {
        let found = try await statuses(names)
        return await withTaskGroup(of: (String, TaskStatus).self) { group in
            for (name, status) in found {
                group.addTask {
                    var status = status
                    if status.hasCrashed { status.lastLines = await crashedOutput.lines(of: status) }
                    return (name, status)
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    private var crashedOutput: CrashedOutput {
        CrashedOutput(
            logs: { region in connection.client(.logs, in: region) }, definitions: definitions,
            lines: settings.crashedLogLines, logger: logger)
    }

    /// The states of tasks.
    func statuses(_ names: [String]) async throws -> [String: TaskStatus] {
        var found: [String: TaskStatus] = [:]
        let known = names.compactMap { TaskName($0) }
        for (cluster, members) in Dictionary(grouping: known, by: \.cluster) {
            let answer: JSONValue = try await failure.converting {
                do {
                    return try await ecs.json(
                        "DescribeTasks",
                        [
                            "cluster": .string(cluster), "tasks": .array(members.map { .string($0.arn) }),
                            "include": ["TAGS"],
                        ])
                } catch let error as RequestFailure where error.reason.code == "ClusterNotFoundException" {
                    // A cluster can be deleted only after its tasks have ended.
                    return [:]
                }
            }
            for status in (answer["tasks"]?.arrayValue ?? []).compactMap({ TaskStatus($0) }) {
                let name = TaskName(cluster: cluster, arn: status.arn).text
                found[name] = status
                tasks.note(status, of: name)
            }
        }
        return found
    }

    /// The tasks with a value of `startedBy`, running or not.
    public func find(_ key: RemoteTaskKey) async throws -> String? {
        for status in ["RUNNING", "STOPPED"] {
            var request: JSONValue = ["startedBy": .string(key.claimID), "desiredStatus": .string(status)]
            request["cluster"] = place.cluster.map { .string($0) }
            let parameters = request
            let answer = try await failure.converting { try await ecs.json("ListTasks", parameters) }
            if let arn = answer["taskArns"]?.arrayValue?.first?.stringValue {
                return TaskName(cluster: place.namedCluster, arn: arn).text
            }
        }
        return nil
    }

    // MARK: Stopping

    /// Asks ECS to stop a task.
    public func stop(_ task: String, grace: Duration, reason: StopReason) async throws {
        guard let name = TaskName(task) else { throw RemoteTaskError(.notFound, "'\(task)' is no ECS task") }
        try await failure.converting {
            do {
                _ = try await ecs.json(
                    "StopTask",
                    [
                        "cluster": .string(name.cluster), "task": .string(name.arn),
                        "reason": "Stopped by Prefect worker",
                    ])
            } catch let error as RequestFailure where error.reason.code == "ClusterNotFoundException" {
                throw RemoteTaskError(
                    .notFound, "the cluster '\(name.clusterName)' of the task does not exist any more")
            }
        }
    }

    // MARK: Deletion

    /// Stops a task that has not ended. Afterwards, takes its definition out of use if the job requests that. ECS
    /// itself forgets a task an hour after its end.
    public func delete(_ task: String) async throws -> Bool {
        var known = tasks.known(task)
        if known?.hasEnded != true {
            guard let status = try await statuses([task])[task] else {
                tasks.forget(task)
                throw RemoteTaskError(.notFound, "the task does not exist any more")
            }
            guard status.hasEnded else {
                try await stop(task, grace: .zero, reason: .shutdown)
                return false
            }
            known = tasks.known(task)
        }
        if let definition = known?.deregistered {
            try await failure.converting {
                do {
                    try await definitions.deregister(definition)
                } catch let error as RequestFailure where error.reason.code == "ClientException" {
                    // It is out of use, or does not exist any more.
                    logger.debug("The task definition '\(definition)' is not deregistered: \(error.message)")
                }
            }
        }
        tasks.forget(task)
        return true
    }

    /// The tasks of this worker that have not begun for a long time.
    public func orphans(of owner: String, creating claims: Set<String>) async throws -> [String] {
        var orphans: [String] = []
        let latest = Timestamp.now.adding(seconds: -Double(OrphanSweep.grace.components.seconds))
        for status in try await marked(owner, desired: "RUNNING", most: 1000) {
            guard status.reasonForWaiting != nil, let created = status.created, created < latest else { continue }
            orphans.append(TaskName(cluster: place.namedCluster, arn: status.arn).text)
        }
        return orphans
    }

    /// The tasks in the cluster that bear a worker's mark; any worker's without one. At most so many tasks are read.
    func marked(_ owner: String?, desired: String, most: Int) async throws -> [TaskStatus] {
        var found: [TaskStatus] = []
        var token: String?
        var read = 0
        repeat {
            var request: JSONValue = ["desiredStatus": .string(desired)]
            request["cluster"] = place.cluster.map { .string($0) }
            request["nextToken"] = token.map { .string($0) }
            let parameters = request
            let page = try await failure.converting { try await ecs.json("ListTasks", parameters) }
            let names = (page["taskArns"]?.arrayValue ?? []).compactMap(\.stringValue).map {
                TaskName(cluster: place.namedCluster, arn: $0).text
            }
            read += names.count
            token = page["nextToken"]?.stringValue
            guard !names.isEmpty else { break }
            let statuses = try await self.statuses(names).values
            found += statuses.filter { $0.owner != nil && (owner == nil || $0.owner == owner) }
        } while token != nil && read < most
        return found
    }
}
