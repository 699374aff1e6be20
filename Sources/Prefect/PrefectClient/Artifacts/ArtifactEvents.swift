public import FoundationEssentials
internal import OrderedCollections
internal import PrefectJSON

// The events that Prefect's Python client emits for artifacts.
extension EventCreate {
    /// The event `prefect.artifact.created`, with the key, the type and the description of an artifact.
    public static func artifactCreated(_ artifact: Artifact) -> EventCreate {
        let described: JSONObject = [
            "key": artifact.key.orNull, "type": artifact.type.orNull, "description": artifact.description.orNull,
        ]
        return artifactEvent("created", id: artifact.id, key: artifact.key, described.filter { !$0.value.isNull })
    }

    /// The event `prefect.artifact.updated`, with the changed members of an artifact.
    public static func artifactUpdated(id: UUID, _ changes: ArtifactUpdate) -> EventCreate {
        artifactEvent("updated", id: id, key: nil, changes.members)
    }

    private static func artifactEvent(
        _ change: String, id: UUID, key: String?, _ payload: JSONObject
    ) -> EventCreate {
        var resource: JSONObject = [
            "prefect.resource.id": .string("prefect.artifact.\(id.text)")
        ]
        if let key { resource["prefect.resource.name"] = .string(key) }
        return EventCreate(
            occurred: .now, event: "prefect.artifact.\(change)", resource: resource, id: UUID()
        ) { $0.payload = payload }
    }
}
