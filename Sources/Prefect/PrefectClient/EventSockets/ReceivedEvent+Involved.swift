internal import OrderedCollections
package import PrefectJSON

// The parts of an event that a worker reads. A flow run's event does not contain the time when the run is due; a caller
// reads the run for that.
extension ReceivedEvent {
    /// Reads an event of a socket. Only its id and its name are checked, because an event is a hint for the worker.
    package init(hint json: JSONValue) throws(JSONDecodingError) {
        let fields = try JSONFields(json)
        _ = try (fields.string("id"), fields.string("event"))
        self.init(unchecked: fields.members)
    }

    /// An object that an event involves.
    package struct Involved: Sendable, Hashable {
        /// The id without its kind: the last part of `prefect.work-pool.<id>`.
        package let id: String
        /// The name; empty when the event does not contain it.
        package let name: String
    }

    /// The flow run that the event happened to, from `prefect.flow-run.<id>`.
    package var flowRun: Involved? { Self.involved(resource, kind: "flow-run") }
    /// The id of the flow run that the event happened to.
    package var flowRunID: String? { flowRun?.id }
    /// The work pool involved.
    package var workPool: Involved? { related(as: "work-pool") }
    /// The work queue involved.
    package var workQueue: Involved? { related(as: "work-queue") }
    /// The deployment involved.
    package var deployment: Involved? { related(as: "deployment") }

    /// The type of the state that a flow run has entered.
    package var stateType: String? {
        resource["prefect.state-type"]?.stringValue ?? payload["validated_state"]?["type"]?.stringValue
    }
    /// The name of the state that a flow run has entered.
    package var stateName: String? {
        resource["prefect.state-name"]?.stringValue ?? payload["validated_state"]?["name"]?.stringValue
    }

    /// The resource in a role that is also its kind; the first one, when there are several.
    private func related(as role: String) -> Involved? {
        related.lazy.filter { $0["prefect.resource.role"]?.stringValue == role }
            .compactMap { Self.involved($0, kind: role) }.first
    }

    private static func involved(_ labels: JSONObject, kind: String) -> Involved? {
        let prefix = "prefect.\(kind)."
        guard let id = labels["prefect.resource.id"]?.stringValue, id.hasPrefix(prefix), id.count > prefix.count else {
            return nil
        }
        return Involved(
            id: String(id.dropFirst(prefix.count)), name: labels["prefect.resource.name"]?.stringValue ?? "")
    }
}
