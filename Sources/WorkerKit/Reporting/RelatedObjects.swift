internal import PrefectClient
internal import PrefectJSON

/// The objects that the events of one flow run are related to. They are kept for as long as the run is in flight, so
/// their resources are made when an event needs them.
struct RelatedObjects: Sendable {
    /// An object of the API.
    struct Object: Sendable {
        let id: String
        let name: String

        /// The object as a related resource.
        func resource(_ kind: String) -> JSONValue {
            [
                "prefect.resource.id": .string("prefect.\(kind).\(id)"), "prefect.resource.role": .string(kind),
                "prefect.resource.name": .string(name),
            ]
        }
    }

    private let run: Object
    private let flow: Object?
    private let deployment: Object?
    private let pool: Object
    private let flowTags: [String]
    private let deploymentTags: [String]
    /// The tags that the run does not have from its deployment, whose tags all of its runs share.
    private let ownTags: [String]

    init(_ run: KnownRun, flow: Flow?, deployment: Deployment?, pool: WorkPool) {
        self.run = Object(id: run.id, name: run.name)
        self.flow = flow.map { Object(id: $0.id.text, name: $0.name) }
        self.deployment = deployment.map { Object(id: $0.id.text, name: $0.name) }
        self.pool = Object(pool)
        flowTags = flow?.tags ?? []
        deploymentTags = deployment?.tags ?? []
        let known = Set(deploymentTags)
        ownTags = run.tags.filter { !known.contains($0) }
    }

    /// The related resources of the run's events: deployment, flow, flow run, tags, work pool.
    var resources: [JSONValue] {
        resources(flow, tags: flowTags + deploymentTags + ownTags) + [pool.resource("work-pool")]
    }

    /// The resources related to the event of a cancellation. Prefect's runner knows neither the pool nor the flow's
    /// tags, and names the flow only for a run with a deployment.
    var resourcesOfCancellation: [JSONValue] {
        resources(deployment == nil ? nil : flow, tags: deploymentTags + ownTags)
    }

    private func resources(_ flow: Object?, tags: [String]) -> [JSONValue] {
        var resources: [JSONValue] = []
        if let deployment { resources.append(deployment.resource("deployment")) }
        if let flow { resources.append(flow.resource("flow")) }
        resources.append(run.resource("flow-run"))
        for tag in Set(tags).sorted() {
            resources.append([
                "prefect.resource.id": .string("prefect.tag.\(tag)"), "prefect.resource.role": "tag",
            ])
        }
        return resources
    }
}

extension RelatedObjects.Object {
    init(_ pool: WorkPool) { self.init(id: pool["id"]?.stringValue ?? "", name: pool.name) }
}
