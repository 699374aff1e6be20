// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// The API's `ConcurrencyLimit`.
public struct ConcurrencyLimit: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("tag", String.self, in: members)
        try require("concurrency_limit", Int.self, in: members)
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

    /// A tag the concurrency limit is applied to.
    public var tag: String {
        get { required("tag") }
        set { assign("tag", newValue) }
    }

    /// The concurrency limit.
    public var concurrencyLimit: Int {
        get { required("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }

    /// A list of active run ids using a concurrency slot.
    public var activeSlots: [UUID] {
        get { member("active_slots", default: []) }
        set { assign("active_slots", newValue) }
    }
}

/// Data used by the Prefect REST API to create a concurrency limit.
public struct ConcurrencyLimitCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(tag: String, concurrencyLimit: Int, _ configure: (inout ConcurrencyLimitCreate) -> Void = { _ in }) {
        members = [:]
        assign("tag", tag)
        assign("concurrency_limit", concurrencyLimit)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("tag", String.self, in: members)
        try require("concurrency_limit", Int.self, in: members)
    }

    /// A tag the concurrency limit is applied to.
    public var tag: String {
        get { required("tag") }
        set { assign("tag", newValue) }
    }

    /// The concurrency limit.
    public var concurrencyLimit: Int {
        get { required("concurrency_limit") }
        set { assign("concurrency_limit", newValue) }
    }
}

/// A response object for global concurrency limits.
public struct GlobalConcurrencyLimit: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("name", String.self, in: members)
        try require("limit", Int.self, in: members)
        try require("active_slots", Int.self, in: members)
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

    /// Whether the global concurrency limit is active.
    public var active: Bool {
        get { member("active", default: true) }
        set { assign("active", newValue) }
    }

    /// The name of the global concurrency limit.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The concurrency limit.
    public var limit: Int {
        get { required("limit") }
        set { assign("limit", newValue) }
    }

    /// The number of active slots.
    public var activeSlots: Int {
        get { required("active_slots") }
        set { assign("active_slots", newValue) }
    }

    /// The decay rate for active slots when used as a rate limit.
    public var slotDecayPerSecond: Double {
        get { member("slot_decay_per_second", default: 2.0) }
        set { assign("slot_decay_per_second", newValue) }
    }
}

/// Data used by the Prefect REST API to create a v2 concurrency limit.
public struct GlobalConcurrencyLimitCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(name: String, limit: Int, _ configure: (inout GlobalConcurrencyLimitCreate) -> Void = { _ in }) {
        members = [:]
        assign("name", name)
        assign("limit", limit)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
        try require("limit", Int.self, in: members)
    }

    /// Whether the concurrency limit is active.
    public var active: Bool? {
        get { optional("active") }
        set { assign("active", newValue) }
    }

    /// The name of the concurrency limit.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The concurrency limit.
    public var limit: Int {
        get { required("limit") }
        set { assign("limit", newValue) }
    }

    /// The number of active slots.
    public var activeSlots: Int? {
        get { optional("active_slots") }
        set { assign("active_slots", newValue) }
    }

    /// The number of denied slots.
    public var deniedSlots: Int? {
        get { optional("denied_slots") }
        set { assign("denied_slots", newValue) }
    }

    /// The decay rate for active slots when used as a rate limit.
    public var slotDecayPerSecond: Double? {
        get { optional("slot_decay_per_second") }
        set { assign("slot_decay_per_second", newValue) }
    }
}

/// Data used by the Prefect REST API to update a v2 concurrency limit.
public struct GlobalConcurrencyLimitUpdate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout GlobalConcurrencyLimitUpdate) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `active`.
    public var active: Bool? {
        get { optional("active") }
        set { assign("active", newValue) }
    }

    /// The member `name`.
    public var name: String? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// The member `limit`.
    public var limit: Int? {
        get { optional("limit") }
        set { assign("limit", newValue) }
    }

    /// The member `active_slots`.
    public var activeSlots: Int? {
        get { optional("active_slots") }
        set { assign("active_slots", newValue) }
    }

    /// The member `denied_slots`.
    public var deniedSlots: Int? {
        get { optional("denied_slots") }
        set { assign("denied_slots", newValue) }
    }

    /// The member `slot_decay_per_second`.
    public var slotDecayPerSecond: Double? {
        get { optional("slot_decay_per_second") }
        set { assign("slot_decay_per_second", newValue) }
    }
}

/// The API's `ConcurrencyLimitWithLeaseResponse`.
public struct ConcurrencyLease: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("lease_id", UUID.self, in: members)
        try require("limits", [MinimalConcurrencyLimit].self, in: members)
    }

    /// The member `lease_id`.
    public var leaseID: UUID {
        get { required("lease_id") }
        set { assign("lease_id", newValue) }
    }

    /// The member `limits`.
    public var limits: [MinimalConcurrencyLimit] {
        get { required("limits") }
        set { assign("limits", newValue) }
    }
}

/// The API's `MinimalConcurrencyLimitResponse`.
public struct MinimalConcurrencyLimit: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("name", String.self, in: members)
        try require("limit", Int.self, in: members)
    }

    /// The member `id`.
    public var id: UUID {
        get { required("id") }
        set { assign("id", newValue) }
    }

    /// The member `name`.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The member `limit`.
    public var limit: Int {
        get { required("limit") }
        set { assign("limit", newValue) }
    }
}

/// Model for validating concurrency lease holder information.
public struct ConcurrencyLeaseHolder: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(type: LeaseHolderType, id: UUID, _ configure: (inout ConcurrencyLeaseHolder) -> Void = { _ in }) {
        members = [:]
        assign("type", type)
        assign("id", id)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("type", LeaseHolderType.self, in: members)
        try require("id", UUID.self, in: members)
    }

    /// The member `type`.
    public var type: LeaseHolderType {
        get { required("type") }
        set { assign("type", newValue) }
    }

    /// The member `id`.
    public var id: UUID {
        get { required("id") }
        set { assign("id", newValue) }
    }
}
