internal import OrderedCollections
public import PrefectJSON

/// The requests and the state of a ``FakePrefectAPI`` at one moment.
public struct FakeAPISnapshot: Sendable {
    let world: World
    /// All requests, in the order of arrival.
    public let requests: [RecordedRequest]

    /// The received log items, in order.
    public var logs: [JSONValue] { world.logs }
    /// The received events, in order.
    public var events: [JSONValue] { world.events }
    /// All runs, in the order of creation.
    public var runs: [FakeFlowRun] { Array(world.runs.values) }
    /// All work pools, in the order of creation.
    public var pools: [FakeWorkPool] { Array(world.pools.values) }

    /// All flows, in the order of creation.
    public var flows: [FakeFlow] { Array(world.flows.values) }
    /// All deployments, in the order of creation.
    public var deployments: [FakeDeployment] { Array(world.deployments.values) }

    /// A run; `nil` when there is none with the id.
    public func run(_ id: String) -> FakeFlowRun? { world.runs[id] }

    /// A work pool; `nil` when there is none with the name.
    public func pool(_ name: String) -> FakeWorkPool? { world.pools[name] }

    /// A queue of a pool; `nil` when there is none.
    public func queue(_ name: String, pool: String) -> FakeWorkQueue? {
        world.pools[pool].flatMap { world.queue(name, in: $0) }
    }

    /// The messages of the received logs of a run, in order.
    public func logMessages(of runID: String) -> [String] {
        logs.filter { $0["flow_run_id"]?.stringValue == runID }.compactMap { $0["message"]?.stringValue }
    }

    /// The requests that match.
    public func requests(_ method: String? = nil, _ path: String = "*") -> [RecordedRequest] {
        let pattern = RequestPattern(method: method, path: path)
        return requests.filter { pattern.matches(method: $0.method, path: $0.path) }
    }

    /// A few lines about the current state, for the message of a failed wait.
    public var summary: String {
        let last = requests.suffix(8).map { "\($0.line) \($0.status.map(String.init) ?? "unanswered")" }
        var states: OrderedDictionary<String, Int> = [:]
        for run in world.runs.values { states[run.stateName ?? "none", default: 0] += 1 }
        let counts = states.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        return "runs: \(counts.isEmpty ? "none" : counts); requests: \(requests.count)"
            + (last.isEmpty ? "" : ", the last of them\n  " + last.joined(separator: "\n  "))
    }
}
