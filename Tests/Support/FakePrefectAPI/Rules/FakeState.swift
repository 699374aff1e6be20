internal import OrderedCollections
public import PrefectJSON

/// A state of a flow run, as the fake stores it.
public struct FakeState: Sendable, Hashable {
    /// The kinds of states.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case scheduled = "SCHEDULED"
        case pending = "PENDING"
        case running = "RUNNING"
        case completed = "COMPLETED"
        case failed = "FAILED"
        case cancelled = "CANCELLED"
        case crashed = "CRASHED"
        case paused = "PAUSED"
        case cancelling = "CANCELLING"

        /// Whether a run in such a state has ended.
        public var isTerminal: Bool {
            switch self {
            case .completed, .failed, .cancelled, .crashed: true
            default: false
            }
        }

        /// The name of a state that is proposed without one.
        public var defaultName: String { rawValue.prefix(1) + rawValue.dropFirst().lowercased() }
    }

    /// The state's own id.
    public internal(set) var id: String
    /// The state's type.
    public internal(set) var type: Kind
    /// The state's name, for example `Submitting`.
    public internal(set) var name: String
    /// The explanation, if there is one.
    public internal(set) var message: String?
    /// The members of `state_details`, all of them.
    public internal(set) var details: JSONValue
    /// The reference to a result.
    public internal(set) var data: JSONValue
    var timestamp: WireTime

    init(
        _ type: Kind, name: String? = nil, message: String? = nil, details: JSONValue = [:], data: JSONValue = .null,
        at timestamp: WireTime
    ) {
        id = ""
        self.type = type
        self.name = name ?? type.defaultName
        self.message = message
        self.data = data
        self.timestamp = timestamp
        var merged = Self.emptyDetails
        for (key, value) in details.objectValue ?? [:] where merged.keys.contains(key) { merged[key] = value }
        self.details = .object(merged)
        if type == .scheduled, scheduledTime == nil { scheduledTime = timestamp }
    }

    private static let emptyDetails: OrderedDictionary<String, JSONValue> = [
        "flow_run_id": nil, "task_run_id": nil, "child_flow_run_id": nil, "scheduled_time": nil, "cache_key": nil,
        "cache_expiration": nil, "deferred": false, "untrackable_result": false, "pause_timeout": nil,
        "pause_reschedule": false, "pause_key": nil, "run_input_keyset": nil, "refresh_cache": nil, "retriable": nil,
        "transition_id": nil, "task_parameters_id": nil, "traceparent": nil, "deployment_concurrency_lease_id": nil,
    ]

    /// The id by which the server recognises a repeated proposal.
    public var transitionID: String? { details["transition_id"]?.stringValue?.lowercased() }

    var leaseID: String? {
        get { details["deployment_concurrency_lease_id"]?.stringValue }
        set { details["deployment_concurrency_lease_id"] = JSONValue(newValue) }
    }

    var scheduledTime: WireTime? {
        get { details["scheduled_time"]?.stringValue.flatMap(WireTime.init(parsing:)) }
        set { details["scheduled_time"] = JSONValue(newValue?.description) }
    }

    /// Whether the state contains a stored result, which a later state must not discard.
    var hasPersistedResult: Bool {
        guard let data = data.objectValue else { return false }
        return data["type"]?.stringValue != "unpersisted"
    }

    var json: String {
        var text = JSONText()
        text.add("id", plain: id)
        text.add("type", plain: type.rawValue)
        text.add("name", name)
        text.add("timestamp", timestamp)
        text.add("message", message)
        text.add("data", data)
        text.add("state_details", details)
        return text.closed
    }
}
