// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// The API's `Automation`.
public struct Automation: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
        try require("trigger", AutomationTrigger.self, in: members)
        try require("actions", [AutomationAction].self, in: members)
        try require("id", UUID.self, in: members)
    }

    /// The name of this automation.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// A longer description of this automation.
    public var description: String {
        get { member("description", default: "") }
        set { assign("description", newValue) }
    }

    /// Whether this automation will be evaluated.
    public var enabled: Bool {
        get { member("enabled", default: true) }
        set { assign("enabled", newValue) }
    }

    /// A list of tags associated with this automation.
    public var tags: [String] {
        get { member("tags", default: []) }
        set { assign("tags", newValue) }
    }

    /// The criteria for which events this Automation covers and how it will respond to the presence or absence of those
    /// events.
    public var trigger: AutomationTrigger {
        get { required("trigger") }
        set { assign("trigger", newValue) }
    }

    /// The actions to perform when this Automation triggers.
    public var actions: [AutomationAction] {
        get { required("actions") }
        set { assign("actions", newValue) }
    }

    /// The actions to perform when an Automation goes into a triggered state.
    public var actionsOnTrigger: [AutomationAction] {
        get { member("actions_on_trigger", default: []) }
        set { assign("actions_on_trigger", newValue) }
    }

    /// The actions to perform when an Automation goes into a resolving state.
    public var actionsOnResolve: [AutomationAction] {
        get { member("actions_on_resolve", default: []) }
        set { assign("actions_on_resolve", newValue) }
    }

    /// The member `id`.
    public var id: UUID {
        get { required("id") }
        set { assign("id", newValue) }
    }

    /// The member `created`.
    public var created: Timestamp? {
        get { optional("created") }
        set { assign("created", newValue) }
    }

    /// The member `updated`.
    public var updated: Timestamp? {
        get { optional("updated") }
        set { assign("updated", newValue) }
    }
}

/// The API's `AutomationCreate`.
public struct AutomationCore: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(
        name: String, trigger: AutomationTrigger, actions: [AutomationAction],
        _ configure: (inout AutomationCore) -> Void = { _ in }
    ) {
        members = [:]
        assign("name", name)
        assign("trigger", trigger)
        assign("actions", actions)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
        try require("trigger", AutomationTrigger.self, in: members)
        try require("actions", [AutomationAction].self, in: members)
    }

    /// The name of this automation.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// A longer description of this automation.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// Whether this automation will be evaluated.
    public var enabled: Bool? {
        get { optional("enabled") }
        set { assign("enabled", newValue) }
    }

    /// A list of tags associated with this automation.
    public var tags: [String]? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }

    /// The criteria for which events this Automation covers and how it will respond to the presence or absence of those
    /// events.
    public var trigger: AutomationTrigger {
        get { required("trigger") }
        set { assign("trigger", newValue) }
    }

    /// The actions to perform when this Automation triggers.
    public var actions: [AutomationAction] {
        get { required("actions") }
        set { assign("actions", newValue) }
    }

    /// The actions to perform when an Automation goes into a triggered state.
    public var actionsOnTrigger: [AutomationAction]? {
        get { optional("actions_on_trigger") }
        set { assign("actions_on_trigger", newValue) }
    }

    /// The actions to perform when an Automation goes into a resolving state.
    public var actionsOnResolve: [AutomationAction]? {
        get { optional("actions_on_resolve") }
        set { assign("actions_on_resolve", newValue) }
    }

    /// The resource to which this automation belongs.
    public var ownerResource: String? {
        get { optional("owner_resource") }
        set { assign("owner_resource", newValue) }
    }
}

/// A trigger that fires based on the presence or absence of events within a given period of time.
public struct EventTrigger: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(posture: TriggerPosture, _ configure: (inout EventTrigger) -> Void = { _ in }) {
        members = [:]
        members["type"] = "event"
        assign("posture", posture)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("posture", TriggerPosture.self, in: members)
    }

    /// The unique ID of this trigger.
    public var id: UUID? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Labels for resources which this trigger will match.
    public var match: JSONObject? {
        get { optional("match") }
        set { assign("match", newValue) }
    }

    /// Labels for related resources which this trigger will match.
    public var matchRelated: OneOrMore<JSONObject>? {
        get { optional("match_related") }
        set { assign("match_related", newValue) }
    }

    /// The event(s) which must first been seen to fire this trigger.
    public var after: [String]? {
        get { optional("after") }
        set { assign("after", newValue) }
    }

    /// The event(s) this trigger is expecting to see.
    public var expect: [String]? {
        get { optional("expect") }
        set { assign("expect", newValue) }
    }

    /// Evaluate the trigger separately for each distinct value of these labels on the resource.
    public var forEach: [String]? {
        get { optional("for_each") }
        set { assign("for_each", newValue) }
    }

    /// The posture of this trigger, either Reactive or Proactive.
    public var posture: TriggerPosture {
        get { required("posture") }
        set { assign("posture", newValue) }
    }

    /// The number of events required for this trigger to fire (for Reactive triggers), or the number of events expected
    /// (for Proactive triggers).
    public var threshold: Int? {
        get { optional("threshold") }
        set { assign("threshold", newValue) }
    }

    /// The time period over which the events must occur.
    public var within: Duration? {
        get { optional("within") }
        set { assign("within", newValue) }
    }
}

/// The API's `MetricTrigger`.
public struct MetricTrigger: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(metric: MetricTriggerQuery, _ configure: (inout MetricTrigger) -> Void = { _ in }) {
        members = [:]
        members["type"] = "metric"
        assign("metric", metric)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("metric", MetricTriggerQuery.self, in: members)
    }

    /// The member `match`.
    public var match: JSONObject? {
        get { optional("match") }
        set { assign("match", newValue) }
    }

    /// The member `match_related`.
    public var matchRelated: OneOrMore<JSONObject>? {
        get { optional("match_related") }
        set { assign("match_related", newValue) }
    }

    /// The member `posture`.
    public var posture: TriggerPosture? {
        get { optional("posture") }
        set { assign("posture", newValue) }
    }

    /// The member `metric`.
    public var metric: MetricTriggerQuery {
        get { required("metric") }
        set { assign("metric", newValue) }
    }
}

/// The API's `MetricTriggerQuery`.
public struct MetricTriggerQuery: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(
        name: PrefectMetric, threshold: Double, match: MetricTriggerOperator,
        _ configure: (inout MetricTriggerQuery) -> Void = { _ in }
    ) {
        members = [:]
        assign("name", name)
        assign("threshold", threshold)
        assign("operator", match)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", PrefectMetric.self, in: members)
        try require("threshold", Double.self, in: members)
        try require("operator", MetricTriggerOperator.self, in: members)
    }

    /// The member `name`.
    public var name: PrefectMetric {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The member `threshold`.
    public var threshold: Double {
        get { required("threshold") }
        set { assign("threshold", newValue) }
    }

    /// The member `operator`.
    public var match: MetricTriggerOperator {
        get { required("operator") }
        set { assign("operator", newValue) }
    }

    /// The member `range`.
    public var range: Duration? {
        get { optional("range") }
        set { assign("range", newValue) }
    }

    /// The member `firing_for`.
    public var firingFor: Duration? {
        get { optional("firing_for") }
        set { assign("firing_for", newValue) }
    }
}

/// A composite trigger that requires some number of triggers to have fired within the given time period.
public struct CompoundTrigger: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(
        triggers: [AutomationTrigger], require: JSONValue, _ configure: (inout CompoundTrigger) -> Void = { _ in }
    ) {
        members = [:]
        members["type"] = "compound"
        assign("triggers", triggers)
        assign("require", require)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("triggers", [AutomationTrigger].self, in: members)
        try require("require", JSONValue.self, in: members)
    }

    /// The unique ID of this trigger.
    public var id: UUID? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// The member `triggers`.
    public var triggers: [AutomationTrigger] {
        get { required("triggers") }
        set { assign("triggers", newValue) }
    }

    /// The member `within`.
    public var within: Duration? {
        get { optional("within") }
        set { assign("within", newValue) }
    }

    /// The member `require`.
    public var require: JSONValue {
        get { required("require") }
        set { assign("require", newValue) }
    }
}

/// A composite trigger that requires some number of triggers to have fired within the given time period in a specific
/// order.
public struct SequenceTrigger: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(triggers: [AutomationTrigger], _ configure: (inout SequenceTrigger) -> Void = { _ in }) {
        members = [:]
        members["type"] = "sequence"
        assign("triggers", triggers)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("triggers", [AutomationTrigger].self, in: members)
    }

    /// The unique ID of this trigger.
    public var id: UUID? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// The member `triggers`.
    public var triggers: [AutomationTrigger] {
        get { required("triggers") }
        set { assign("triggers", newValue) }
    }

    /// The member `within`.
    public var within: Duration? {
        get { optional("within") }
        set { assign("within", newValue) }
    }
}

/// The condition on which an automation acts.
public enum AutomationTrigger: JSONConvertible {
    /// The case that the API's `type` `event` marks.
    case event(EventTrigger)
    /// The case that the API's `type` `metric` marks.
    case metric(MetricTrigger)
    /// The case that the API's `type` `compound` marks.
    case compound(CompoundTrigger)
    /// The case that the API's `type` `sequence` marks.
    case sequence(SequenceTrigger)
    /// A value that this version does not know, as it is.
    case unknown(JSONValue)

    /// Reads a value. An unknown one is kept as it is.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        switch jsonValue["type"]?.stringValue {
        case "event": self = .event(try EventTrigger(jsonValue: jsonValue))
        case "metric": self = .metric(try MetricTrigger(jsonValue: jsonValue))
        case "compound": self = .compound(try CompoundTrigger(jsonValue: jsonValue))
        case "sequence": self = .sequence(try SequenceTrigger(jsonValue: jsonValue))
        default: self = .unknown(jsonValue)
        }
    }

    /// The value as JSON.
    public var jsonValue: JSONValue {
        switch self {
        case .event(let value): value.jsonValue
        case .metric(let value): value.jsonValue
        case .compound(let value): value.jsonValue
        case .sequence(let value): value.jsonValue
        case .unknown(let value): value
        }
    }

    /// An unknown value.
    public static var jsonPlaceholder: AutomationTrigger { .unknown(.null) }
}
