// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// A single page of events returned from the API, with an optional link to the next page of results.
public struct EventPage: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("events", [ReceivedEvent].self, in: members)
        try require("total", Int.self, in: members)
    }

    /// The Events matching the query.
    public var events: [ReceivedEvent] {
        get { required("events") }
        set { assign("events", newValue) }
    }

    /// The total number of matching Events.
    public var total: Int {
        get { required("total") }
        set { assign("total", newValue) }
    }

    /// The URL for the next page of results, if there are more.
    public var nextPage: String? {
        get { optional("next_page") }
        set { assign("next_page", newValue) }
    }
}

/// The server-side view of an event that has happened to a Resource after it has been received by the server.
public struct ReceivedEvent: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("occurred", Timestamp.self, in: members)
        try require("event", String.self, in: members)
        try require("resource", JSONObject.self, in: members)
        try require("id", UUID.self, in: members)
        try require("received", Timestamp.self, in: members)
    }

    /// When the event happened from the sender's perspective.
    public var occurred: Timestamp {
        get { required("occurred") }
        set { assign("occurred", newValue) }
    }

    /// The name of the event that happened.
    public var event: String {
        get { required("event") }
        set { assign("event", newValue) }
    }

    /// The primary Resource this event concerns.
    public var resource: JSONObject {
        get { required("resource") }
        set { assign("resource", newValue) }
    }

    /// A list of additional Resources involved in this event.
    public var related: [JSONObject] {
        get { member("related", default: []) }
        set { assign("related", newValue) }
    }

    /// An open-ended set of data describing what happened.
    public var payload: JSONObject {
        get { member("payload", default: [:]) }
        set { assign("payload", newValue) }
    }

    /// The client-provided identifier of this event.
    public var id: UUID {
        get { required("id") }
        set { assign("id", newValue) }
    }

    /// The ID of an event that is known to have occurred prior to this one.
    public var follows: UUID? {
        get { optional("follows") }
        set { assign("follows", newValue) }
    }

    /// When the event was received by Prefect Cloud.
    public var received: Timestamp {
        get { required("received") }
        set { assign("received", newValue) }
    }
}

/// The client-side view of an event that has happened to a Resource.
public struct EventCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(
        occurred: Timestamp, event: String, resource: JSONObject, id: UUID,
        _ configure: (inout EventCreate) -> Void = { _ in }
    ) {
        members = [:]
        assign("occurred", occurred)
        assign("event", event)
        assign("resource", resource)
        assign("id", id)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("occurred", Timestamp.self, in: members)
        try require("event", String.self, in: members)
        try require("resource", JSONObject.self, in: members)
        try require("id", UUID.self, in: members)
    }

    /// When the event happened from the sender's perspective.
    public var occurred: Timestamp {
        get { required("occurred") }
        set { assign("occurred", newValue) }
    }

    /// The name of the event that happened.
    public var event: String {
        get { required("event") }
        set { assign("event", newValue) }
    }

    /// The primary Resource this event concerns.
    public var resource: JSONObject {
        get { required("resource") }
        set { assign("resource", newValue) }
    }

    /// A list of additional Resources involved in this event.
    public var related: [JSONObject]? {
        get { optional("related") }
        set { assign("related", newValue) }
    }

    /// An open-ended set of data describing what happened.
    public var payload: JSONObject? {
        get { optional("payload") }
        set { assign("payload", newValue) }
    }

    /// The client-provided identifier of this event.
    public var id: UUID {
        get { required("id") }
        set { assign("id", newValue) }
    }

    /// The ID of an event that is known to have occurred prior to this one.
    public var follows: UUID? {
        get { optional("follows") }
        set { assign("follows", newValue) }
    }
}

/// The API's `EventFilter`.
public struct EventFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout EventFilter) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// Filter criteria for when the events occurred.
    public var occurred: EventOccurredFilter? {
        get { optional("occurred") }
        set { assign("occurred", newValue) }
    }

    /// Filter criteria for the event name.
    public var event: EventNameFilter? {
        get { optional("event") }
        set { assign("event", newValue) }
    }

    /// Filter criteria for the resource of the event.
    public var resource: EventResourceFilter? {
        get { optional("resource") }
        set { assign("resource", newValue) }
    }

    /// Filter criteria for the related resources of the event.
    public var related: OneOrMore<EventRelatedFilter>? {
        get { optional("related") }
        set { assign("related", newValue) }
    }

    /// Filter criteria for any resource involved in the event.
    public var anyResource: OneOrMore<EventAnyResourceFilter>? {
        get { optional("any_resource") }
        set { assign("any_resource", newValue) }
    }

    /// Filter criteria for the events' ID.
    public var id: EventIDFilter? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Filter criteria for text search across event content.
    public var text: EventTextFilter? {
        get { optional("text") }
        set { assign("text", newValue) }
    }

    /// The order to return filtered events.
    public var order: EventOrder? {
        get { optional("order") }
        set { assign("order", newValue) }
    }
}

/// The API's `EventOccurredFilter`.
public struct EventOccurredFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout EventOccurredFilter) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// Only include events after this time (inclusive).
    public var since: Timestamp? {
        get { optional("since") }
        set { assign("since", newValue) }
    }

    /// Only include events prior to this time (inclusive).
    public var until: Timestamp? {
        get { optional("until") }
        set { assign("until", newValue) }
    }
}

/// The API's `EventNameFilter`.
public struct EventNameFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout EventNameFilter) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// Only include events matching one of these prefixes.
    public var prefix: [String]? {
        get { optional("prefix") }
        set { assign("prefix", newValue) }
    }

    /// Exclude events matching one of these prefixes.
    public var excludePrefix: [String]? {
        get { optional("exclude_prefix") }
        set { assign("exclude_prefix", newValue) }
    }

    /// Only include events matching one of these names exactly.
    public var name: [String]? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// Exclude events matching one of these names exactly.
    public var excludeName: [String]? {
        get { optional("exclude_name") }
        set { assign("exclude_name", newValue) }
    }
}

/// The API's `EventResourceFilter`.
public struct EventResourceFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout EventResourceFilter) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// Only include events for resources with these IDs.
    public var id: [String]? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Only include events for resources with IDs starting with these prefixes.
    public var idPrefix: [String]? {
        get { optional("id_prefix") }
        set { assign("id_prefix", newValue) }
    }

    /// Only include events for resources with these labels.
    public var labels: JSONObject? {
        get { optional("labels") }
        set { assign("labels", newValue) }
    }

    /// Only include events for distinct resources.
    public var distinct: Bool? {
        get { optional("distinct") }
        set { assign("distinct", newValue) }
    }
}

/// The API's `EventRelatedFilter`.
public struct EventRelatedFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout EventRelatedFilter) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// Only include events for related resources with these IDs.
    public var id: [String]? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Only include events for related resources in these roles.
    public var role: [String]? {
        get { optional("role") }
        set { assign("role", newValue) }
    }

    /// Only include events with specific related resources in specific roles.
    public var resourcesInRoles: [[JSONValue]]? {
        get { optional("resources_in_roles") }
        set { assign("resources_in_roles", newValue) }
    }

    /// Only include events for related resources with these labels.
    public var labels: JSONObject? {
        get { optional("labels") }
        set { assign("labels", newValue) }
    }
}

/// The API's `EventAnyResourceFilter`.
public struct EventAnyResourceFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout EventAnyResourceFilter) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// Only include events for resources with these IDs.
    public var id: [String]? {
        get { optional("id") }
        set { assign("id", newValue) }
    }

    /// Only include events for resources with IDs starting with these prefixes.
    public var idPrefix: [String]? {
        get { optional("id_prefix") }
        set { assign("id_prefix", newValue) }
    }

    /// Only include events for related resources with these labels.
    public var labels: JSONObject? {
        get { optional("labels") }
        set { assign("labels", newValue) }
    }
}

/// The API's `EventIDFilter`.
public struct EventIDFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout EventIDFilter) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// Only include events with one of these IDs.
    public var id: [UUID]? {
        get { optional("id") }
        set { assign("id", newValue) }
    }
}

/// Filter by text search across event content.
public struct EventTextFilter: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(query: String, _ configure: (inout EventTextFilter) -> Void = { _ in }) {
        members = [:]
        assign("query", query)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("query", String.self, in: members)
    }

    /// Text search query string.
    public var query: String {
        get { required("query") }
        set { assign("query", newValue) }
    }
}
