package import PrefectJSON

/// An event as the API sends it. Mirrors the API's `ReceivedEvent`.
///
/// A flow run's event does not contain the time when the run is due; a caller reads the run for that.
package struct WorkerReceivedEvent: Sendable, Hashable, JSONDecodable {
    /// A resource that an event involves.
    package struct Resource: Sendable, Hashable {
        /// The id without its kind: the last part of `prefect.work-pool.<id>`.
        package let id: String
        /// The name; empty when the event does not contain it.
        package let name: String
    }

    /// The event's id. For a flow run's change of state, it is the id of the new state.
    package let id: String
    /// The event's name, such as `prefect.flow-run.Scheduled`.
    package let name: String
    /// When the event happened, by the sender's clock; `nil` when the event does not contain it.
    package let occurred: Timestamp?
    /// The labels of the resource that the event happened to, among them `prefect.resource.id`.
    package let resource: JSONValue
    /// The labels of the other resources involved, each with its `prefect.resource.role`.
    package let related: [JSONValue]
    /// Further data of the event.
    package let payload: JSONValue

    package init(json fields: JSONFields) throws(JSONDecodingError) {
        id = try fields.string("id")
        name = try fields.string("event")
        occurred = fields.optionalString("occurred").flatMap { Timestamp($0) }
        resource = .object(fields.object("resource"))
        related = fields.value("related")?.arrayValue ?? []
        payload = .object(fields.object("payload"))
    }

    /// The flow run that the event happened to, from `prefect.flow-run.<id>`.
    package var flowRun: Resource? { Self.resource(resource, kind: "flow-run") }
    /// The id of the flow run that the event happened to.
    package var flowRunID: String? { flowRun?.id }
    /// The work pool involved.
    package var workPool: Resource? { related(as: "work-pool") }
    /// The work queue involved.
    package var workQueue: Resource? { related(as: "work-queue") }
    /// The deployment involved.
    package var deployment: Resource? { related(as: "deployment") }

    /// The type of the state that a flow run has entered.
    package var stateType: String? {
        resource["prefect.state-type"]?.stringValue ?? payload["validated_state"]?["type"]?.stringValue
    }
    /// The name of the state that a flow run has entered.
    package var stateName: String? {
        resource["prefect.state-name"]?.stringValue ?? payload["validated_state"]?["name"]?.stringValue
    }

    /// The resource in a role that is also its kind; the first one, when there are several.
    private func related(as role: String) -> Resource? {
        related.lazy.filter { $0["prefect.resource.role"]?.stringValue == role }
            .compactMap { Self.resource($0, kind: role) }.first
    }

    private static func resource(_ labels: JSONValue, kind: String) -> Resource? {
        let prefix = "prefect.\(kind)."
        guard let id = labels["prefect.resource.id"]?.stringValue, id.hasPrefix(prefix), id.count > prefix.count else {
            return nil
        }
        return Resource(
            id: String(id.dropFirst(prefix.count)), name: labels["prefect.resource.name"]?.stringValue ?? "")
    }
}
