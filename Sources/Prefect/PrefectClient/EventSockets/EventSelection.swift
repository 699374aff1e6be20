internal import PrefectJSON

/// Selects the events of a subscription: events with certain names that involve one of certain work pools, or the events
/// of one flow run.
package struct EventSelection: Sendable, Hashable {
    /// The work pools whose events are selected.
    package enum Pools: Sendable, Hashable {
        /// Work pools with these ids.
        case ids([String])
        /// Work pools with these names. A pool may be created later, or deleted and created again.
        case named([String])
        /// Any work pool. Events that involve no work pool are selected too.
        case any
    }

    /// A run was created, or is to run again: `prefect.flow-run.Scheduled`. The API sends no such event for runs that
    /// the server's scheduler creates from a deployment's schedules.
    package static let scheduled = "prefect.flow-run.Scheduled"
    /// A run is to be cancelled: `prefect.flow-run.Cancelling`.
    package static let cancelling = "prefect.flow-run.Cancelling"

    /// The events' names.
    package var names: [String]
    /// The work pools.
    package var pools: Pools
    /// The id of the flow run whose events are selected, whatever their names and pools are; `nil` for any run.
    private(set) var flowRunID: String?

    package init(names: [String] = [Self.scheduled, Self.cancelling], pools: Pools) {
        self.names = names
        self.pools = pools
    }

    /// Selects all events that happen to one flow run. A state may have any name, so the names are not limited.
    init(flowRunID: String) {
        self.init(names: [], pools: .any)
        self.flowRunID = flowRunID
    }

    /// The first message of `/events/out`.
    ///
    /// The filter names the pools in `any_resource`, because the server does not apply `related` to live events, but
    /// only to events in its database. Without `until`, the filter would end at the moment when the server reads it.
    /// `since` is the epoch, and the server bounds it by its own clock. A value from this machine's clock would drop
    /// live events when that clock is ahead. The message does not request past events.
    func message(now: Timestamp) -> JSONValue {
        var filter: JSONValue = [
            "event": flowRunID == nil
                ? ["name": .array(names.map(JSONValue.string))] : ["prefix": ["prefect.flow-run."]],
            "occurred": [
                "since": .string(Timestamp(microseconds: 0).apiFormat),
                "until": .string(now.adding(seconds: 10 * 365 * 86_400).apiFormat),
            ],
        ]
        if let flowRunID { filter["resource"] = ["id": [.string("prefect.flow-run.\(flowRunID)")]] }
        switch pools {
        case .ids(let ids):
            filter["any_resource"] = [
                "id": .array(ids.map { .string("prefect.work-pool.\($0)") }),
                "labels": ["prefect.resource.role": ["work-pool"]],
            ]
        case .named(let names):
            filter["any_resource"] = [
                "labels": [
                    "prefect.resource.role": ["work-pool"],
                    "prefect.resource.name": .array(names.map { .string(Self.pattern($0)) }),
                ]
            ]
        case .any: break
        }
        return ["type": "filter", "filter": filter, "backfill": false]
    }

    /// A pattern that matches a name. Patterns have no escapes, so the pattern may also match other names.
    private static func pattern(_ name: String) -> String {
        let pattern = String(name.map { "*?[".contains($0) ? "?" : $0 })
        return pattern.hasPrefix("!") ? "?" + pattern.dropFirst() : pattern
    }

    /// Whether an event is selected. The server may also send events that are not selected.
    func includes(_ event: ReceivedEvent) -> Bool {
        if let flowRunID { return event.flowRunID == flowRunID }
        guard names.contains(event.event) else { return false }
        switch pools {
        case .ids(let ids): return event.workPool.map { ids.contains($0.id) } ?? false
        case .named(let names): return event.workPool.map { names.contains($0.name) } ?? false
        case .any: return true
        }
    }
}
