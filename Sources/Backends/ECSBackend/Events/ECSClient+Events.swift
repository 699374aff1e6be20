public import BackendKit
internal import PrefectJSON

extension ECSClient {
    /// Reports a new status of a task as an event, like Prefect's own observer.
    public func report(
        _ status: TaskStatus, after previous: TaskStatus?, of task: String, to reporter: any JobReporter
    ) {
        if previous == nil { tasks.add(task) }
        for event in tasks.events(of: task, in: status) {
            let name = "prefect.ecs.task.\(event.status.lowercased())"
            let resource: JSONValue = [
                "prefect.resource.id": .string("prefect.ecs.task.\(status.arn.split(separator: "/").last ?? "")"),
                "ecs.taskArn": .string(status.arn), "ecs.clusterArn": .string(status.clusterARN),
                "ecs.taskDefinitionArn": .string(status.definitionARN),
            ]
            if let id = event.id {
                reporter.emit(event: name, resource: resource, payload: [:], id: id, occurred: event.occurred)
            } else {
                reporter.emit(event: name, resource: resource, payload: [:])
            }
        }
    }

    /// Reads the queue of task events, and passes on which tasks have changed.
    public func followChanges(_ changed: @escaping @Sendable (_ task: String) -> Void) async {
        await queue?.follow { event in
            guard let task = tasks.note(event) else { return false }
            changed(task)
            return true
        }
    }
}
