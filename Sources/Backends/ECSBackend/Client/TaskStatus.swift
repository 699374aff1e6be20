internal import PrefectJSON

/// The state of a task, as ECS describes it.
public struct TaskStatus: Sendable, Equatable {
    /// A container of a task.
    struct Container: Sendable, Equatable {
        let name: String
        let exitCode: Int?
        let reason: String?
    }

    let arn: String
    let clusterARN: String
    let definitionARN: String
    /// `PROVISIONING`, `PENDING`, `RUNNING`, `STOPPED`, …
    let lastStatus: String
    let stopCode: String?
    let stoppedReason: String?
    let containers: [Container]
    /// When AWS accepted the task.
    let created: Timestamp?
    /// Whether the containers have begun.
    let hasBegun: Bool
    /// The container that the request gives a command, which is the flow's.
    let commanded: String?
    /// The mark of the worker that ran the task.
    let owner: String?
    /// Whether the definition is deregistered after the end.
    let deregisters: Bool
    /// The last lines of a task that crashed.
    var lastLines: String?

    /// Reads a task; `nil` for a description without a name.
    init?(_ json: JSONValue) {
        guard let arn = json["taskArn"]?.stringValue else { return nil }
        func text(_ key: String) -> String? { json[key]?.stringValue.flatMap { $0.isEmpty ? nil : $0 } }
        self.arn = arn
        clusterARN = text("clusterArn") ?? ""
        definitionARN = text("taskDefinitionArn") ?? ""
        lastStatus = text("lastStatus") ?? ""
        stopCode = text("stopCode")
        stoppedReason = text("stoppedReason")
        containers = (json["containers"]?.arrayValue ?? []).map { container in
            Container(
                name: container["name"]?.stringValue ?? "", exitCode: container["exitCode"]?.intValue,
                reason: container["reason"]?.stringValue)
        }
        created = Self.time(json["createdAt"])
        hasBegun = json["startedAt"]?.isNull == false
        commanded =
            json["overrides"]?["containerOverrides"]?.arrayValue?.first {
                $0["command"]?.arrayValue?.isEmpty == false
            }?["name"]?.stringValue
        func tag(_ key: String) -> String? {
            json["tags"]?.arrayValue?.first { $0["key"]?.stringValue == key }?["value"]?.stringValue
        }
        owner = tag(TaskRunRequest.ownerTag)
        deregisters = tag(TaskRunRequest.deregistrationTag) == "true"
    }

    /// A time in seconds, or as text.
    private static func time(_ json: JSONValue?) -> Timestamp? {
        if let text = json?.stringValue { return Timestamp(text) }
        return json?.doubleValue.flatMap { Int(exactly: ($0 * 1_000_000).rounded()) }
            .map { Timestamp(microseconds: $0) }
    }

    /// Whether the task has ended for good.
    var hasEnded: Bool { lastStatus == "STOPPED" || lastStatus == "DELETED" }

    /// The containers whose exit codes count: the flow's, or else all.
    var judged: [Container] {
        for name in [commanded, ECSConfiguration.usualContainer] {
            if let container = containers.first(where: { $0.name == name }) { return [container] }
        }
        return containers
    }

    /// Why the task has not begun; `nil` when it has.
    var reasonForWaiting: String? {
        guard ["PROVISIONING", "PENDING", "ACTIVATING"].contains(lastStatus), !hasBegun else { return nil }
        let since = created.map { " since \($0.apiFormat.prefix(19))Z" } ?? ""
        return "ECS task is \(lastStatus.lowercased())\(since)"
    }
}
