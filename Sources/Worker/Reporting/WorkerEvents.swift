internal import BackendKit
internal import JSON
internal import JobTemplates
internal import OrderedCollections
internal import PrefectAPI

/// The worker's own events, with the resources that Prefect's automations and UI expect on them.
struct WorkerEvents: Sendable {
    let events: EventShipper
    let workerName: String
    let workerType: String

    /// The worker as the subject of an event.
    private var resource: JSONValue {
        [
            "prefect.resource.id": .string("prefect.worker.\(workerType).\(Slug.make(workerName))"),
            "prefect.resource.name": .string(workerName), "prefect.version": .string(APIClient.prefectVersion),
            "prefect.worker-type": .string(workerType),
        ]
    }

    /// The worker as a related resource in an event of its infrastructure.
    var relatedWorker: JSONValue {
        var related = resource
        related["prefect.resource.role"] = "worker"
        return related
    }

    private static func related(_ kind: String, id: String, name: String) -> JSONValue {
        [
            "prefect.resource.id": .string("prefect.\(kind).\(id)"), "prefect.resource.role": .string(kind),
            "prefect.resource.name": .string(name),
        ]
    }

    private func related(pool: WorkPool?) -> [JSONValue] {
        pool.map { [Self.related("work-pool", id: $0.id, name: $0.name)] } ?? []
    }

    /// Emits `prefect.worker.started`. Returns the event for the one that follows it.
    func started(pool: WorkPool?) -> Event {
        emit(Event(name: "prefect.worker.started", resource: resource, related: related(pool: pool)))
    }

    /// Emits `prefect.worker.stopped`.
    func stopped(pool: WorkPool?, after started: Event?) {
        _ = emit(
            Event(name: "prefect.worker.stopped", resource: resource, related: related(pool: pool), following: started))
    }

    /// The related resources of a run's events: deployment, flow, flow run, tags, work pool.
    static func resources(of run: FlowRun, flow: Flow?, deployment: Deployment?, pool: WorkPool?) -> [JSONValue] {
        let tags = (flow?.tags ?? []) + (deployment?.tags ?? []) + run.tags
        var resources = resources(of: run, flow, deployment, tags: tags)
        if let pool { resources.append(related("work-pool", id: pool.id, name: pool.name)) }
        return resources
    }

    /// The resources related to the event of a cancellation. Prefect's runner knows neither the pool nor the flow's
    /// tags, and names the flow only for a run with a deployment.
    static func resourcesOfCancellation(of run: FlowRun, flow: Flow?, deployment: Deployment?) -> [JSONValue] {
        resources(
            of: run, deployment == nil ? nil : flow, deployment, tags: (deployment?.tags ?? []) + run.tags)
    }

    private static func resources(
        of run: FlowRun, _ flow: Flow?, _ deployment: Deployment?, tags: [String]
    ) -> [JSONValue] {
        var resources: [JSONValue] = []
        if let deployment { resources.append(related("deployment", id: deployment.id, name: deployment.name)) }
        if let flow { resources.append(related("flow", id: flow.id, name: flow.name)) }
        resources.append(related("flow-run", id: run.id, name: run.name))
        for tag in Set(tags).sorted() {
            resources.append([
                "prefect.resource.id": .string("prefect.tag.\(tag)"), "prefect.resource.role": "tag",
            ])
        }
        return resources
    }

    /// Emits `prefect.worker.submitted-flow-run`.
    func submitted(related: [JSONValue]) -> Event {
        emit(Event(name: "prefect.worker.submitted-flow-run", resource: resource, related: related))
    }

    /// Emits `prefect.worker.executed-flow-run`. The flow run's entry contains the infrastructure and its status code.
    func executed(
        related: [JSONValue], identifier: InfrastructureIdentifier, statusCode: Int, after submitted: Event?
    ) {
        let extended = related.map { resource in
            guard resource["prefect.resource.role"] == "flow-run" else { return resource }
            var entry = resource
            entry["prefect.infrastructure.identifier"] = .string(identifier.rawValue)
            entry["prefect.infrastructure.status-code"] = .string(String(statusCode))
            return entry
        }
        _ = emit(
            Event(
                name: "prefect.worker.executed-flow-run", resource: resource, related: extended, following: submitted))
    }

    /// Emits `prefect.runner.cancelled-flow-run`: the worker has ended a run as cancelled. The subject has the name of
    /// Prefect's own runner, because automations search for that name.
    func cancelled(related: [JSONValue]) {
        let runner: JSONValue = [
            "prefect.resource.id": "prefect.runner.standalone", "prefect.resource.name": "standalone",
            "prefect.version": .string(APIClient.prefectVersion),
        ]
        _ = emit(Event(name: "prefect.runner.cancelled-flow-run", resource: runner, related: related))
    }

    private func emit(_ event: Event) -> Event {
        events.add(event)
        return event
    }
}
