internal import JSON

/// Which events a subscription is about: those of some names in which one of some work pools is involved.
public struct EventSelection: Sendable, Hashable {
    /// The work pools.
    public enum Pools: Sendable, Hashable {
        /// Those with these ids.
        case ids([String])
        /// Those with these names, which need not exist yet and may be made anew.
        case named([String])
        /// Any, and none.
        case any
    }

    /// A run was created, or is to be run again: `prefect.flow-run.Scheduled`. Runs that the server's scheduler makes
    /// from a deployment's schedules have no such event.
    public static let scheduled = "prefect.flow-run.Scheduled"
    /// A run is to be cancelled: `prefect.flow-run.Cancelling`.
    public static let cancelling = "prefect.flow-run.Cancelling"

    /// The events' names.
    public var names: [String]
    /// The work pools.
    public var pools: Pools

    /// A selection.
    public init(names: [String] = [Self.scheduled, Self.cancelling], pools: Pools) {
        self.names = names
        self.pools = pools
    }

    /// The first message of `/events/out`.
    ///
    /// Of the filter's members only `any_resource` says something about what is live: the server applies `related` to
    /// what is in its database alone. Without `until` the filter would end with the moment at which the server reads it.
    /// `since` is left to the server, which bounds it by its own clock; one by ours would drop live events when our
    /// clock is ahead. What is past is not asked for.
    func message(now: Timestamp) -> JSONValue {
        var filter: JSONValue = [
            "event": ["name": .array(names.map(JSONValue.string))],
            "occurred": [
                "since": .string(Timestamp(microseconds: 0).apiFormat),
                "until": .string(now.adding(seconds: 10 * 365 * 86_400).apiFormat),
            ],
        ]
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

    /// A pattern that matches a name. Patterns have no escapes, so it may match others too.
    private static func pattern(_ name: String) -> String {
        let pattern = String(name.map { "*?[".contains($0) ? "?" : $0 })
        return pattern.hasPrefix("!") ? "?" + pattern.dropFirst() : pattern
    }

    /// Whether an event is selected; the server may send others.
    func includes(_ event: ReceivedEvent) -> Bool {
        guard names.contains(event.name) else { return false }
        switch pools {
        case .ids(let ids): return event.workPool.map { ids.contains($0.id) } ?? false
        case .named(let names): return event.workPool.map { names.contains($0.name) } ?? false
        case .any: return true
        }
    }
}
