internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectClient
internal import PrefectJSON

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

    private func related(pool: WorkPool?) -> [JSONValue] {
        pool.map { [RelatedObjects.Object($0).resource("work-pool")] } ?? []
    }

    /// Emits `prefect.worker.started`. Returns the event for the one that follows it.
    func started(pool: WorkPool?) -> EventCreate {
        emit(EventCreate(name: "prefect.worker.started", resource: resource, related: related(pool: pool)))
    }

    /// Emits `prefect.worker.stopped`.
    func stopped(pool: WorkPool?, after started: EventCreate?) {
        _ = emit(
            EventCreate(
                name: "prefect.worker.stopped", resource: resource, related: related(pool: pool), following: started))
    }

    /// Emits `prefect.worker.submitted-flow-run`.
    func submitted(related: RelatedObjects) -> EventCreate {
        emit(EventCreate(name: "prefect.worker.submitted-flow-run", resource: resource, related: related.resources))
    }

    /// Emits `prefect.worker.executed-flow-run`. The flow run's entry contains the infrastructure and its status code.
    func executed(
        related: RelatedObjects, identifier: InfrastructureIdentifier, statusCode: Int, after submitted: EventCreate?
    ) {
        let extended = related.resources.map { resource in
            guard resource["prefect.resource.role"] == "flow-run" else { return resource }
            var entry = resource
            entry["prefect.infrastructure.identifier"] = .string(identifier.rawValue)
            entry["prefect.infrastructure.status-code"] = .string(String(statusCode))
            return entry
        }
        _ = emit(
            EventCreate(
                name: "prefect.worker.executed-flow-run", resource: resource, related: extended, following: submitted))
    }

    /// Emits `prefect.runner.cancelled-flow-run`: the worker has ended a run as cancelled. The subject has the name of
    /// Prefect's own runner, because automations search for that name.
    func cancelled(related: RelatedObjects) {
        let runner: JSONValue = [
            "prefect.resource.id": "prefect.runner.standalone", "prefect.resource.name": "standalone",
            "prefect.version": .string(APIClient.prefectVersion),
        ]
        _ = emit(
            EventCreate(
                name: "prefect.runner.cancelled-flow-run", resource: runner, related: related.resourcesOfCancellation))
    }

    private func emit(_ event: EventCreate) -> EventCreate {
        events.add(event)
        return event.predecessor
    }
}
