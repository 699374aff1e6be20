// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// The API's `Workspace`.
public struct Workspace: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("account_id", UUID.self, in: members)
        try require("account_name", String.self, in: members)
        try require("account_handle", String.self, in: members)
        try require("workspace_id", UUID.self, in: members)
        try require("workspace_name", String.self, in: members)
        try require("workspace_description", String.self, in: members)
        try require("workspace_handle", String.self, in: members)
    }

    /// The member `account_id`.
    public var accountID: UUID {
        get { required("account_id") }
        set { assign("account_id", newValue) }
    }

    /// The member `account_name`.
    public var accountName: String {
        get { required("account_name") }
        set { assign("account_name", newValue) }
    }

    /// The member `account_handle`.
    public var accountHandle: String {
        get { required("account_handle") }
        set { assign("account_handle", newValue) }
    }

    /// The member `workspace_id`.
    public var workspaceID: UUID {
        get { required("workspace_id") }
        set { assign("workspace_id", newValue) }
    }

    /// The member `workspace_name`.
    public var workspaceName: String {
        get { required("workspace_name") }
        set { assign("workspace_name", newValue) }
    }

    /// The member `workspace_description`.
    public var workspaceDescription: String {
        get { required("workspace_description") }
        set { assign("workspace_description", newValue) }
    }

    /// The member `workspace_handle`.
    public var workspaceHandle: String {
        get { required("workspace_handle") }
        set { assign("workspace_handle", newValue) }
    }
}

/// The API's `IPAllowlist`.
public struct IPAllowlist: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(entries: [IPAllowlistEntry], _ configure: (inout IPAllowlist) -> Void = { _ in }) {
        members = [:]
        assign("entries", entries)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("entries", [IPAllowlistEntry].self, in: members)
    }

    /// The member `entries`.
    public var entries: [IPAllowlistEntry] {
        get { required("entries") }
        set { assign("entries", newValue) }
    }
}

/// The API's `IPAllowlistEntry`.
public struct IPAllowlistEntry: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(ipNetwork: String, enabled: Bool, _ configure: (inout IPAllowlistEntry) -> Void = { _ in }) {
        members = [:]
        assign("ip_network", ipNetwork)
        assign("enabled", enabled)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("ip_network", String.self, in: members)
        try require("enabled", Bool.self, in: members)
    }

    /// The member `ip_network`.
    public var ipNetwork: String {
        get { required("ip_network") }
        set { assign("ip_network", newValue) }
    }

    /// The member `enabled`.
    public var enabled: Bool {
        get { required("enabled") }
        set { assign("enabled", newValue) }
    }

    /// The member `description`.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// The member `last_seen`.
    public var lastSeen: String? {
        get { optional("last_seen") }
        set { assign("last_seen", newValue) }
    }
}

/// The API's `IPAllowlistMyAccessResponse`.
public struct IPAllowlistMyAccessResponse: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("allowed", Bool.self, in: members)
        try require("detail", String.self, in: members)
    }

    /// The member `allowed`.
    public var allowed: Bool {
        get { required("allowed") }
        set { assign("allowed", newValue) }
    }

    /// The member `detail`.
    public var detail: String {
        get { required("detail") }
        set { assign("detail", newValue) }
    }
}

/// The API's `LatenessSla`.
public struct LatenessSla: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(name: String, within: Duration, _ configure: (inout LatenessSla) -> Void = { _ in }) {
        members = [:]
        assign("name", name)
        assign("within", within)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
        try require("within", Duration.self, in: members)
    }

    /// The member `name`.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The member `owner_resource`.
    public var ownerResource: String? {
        get { optional("owner_resource") }
        set { assign("owner_resource", newValue) }
    }

    /// The member `severity`.
    public var severity: SlaSeverity? {
        get { optional("severity") }
        set { assign("severity", newValue) }
    }

    /// The member `enabled`.
    public var enabled: Bool? {
        get { optional("enabled") }
        set { assign("enabled", newValue) }
    }

    /// The member `within`.
    public var within: Duration {
        get { required("within") }
        set { assign("within", newValue) }
    }
}

/// The API's `FrequencySla`.
public struct FrequencySla: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(name: String, staleAfter: Duration, _ configure: (inout FrequencySla) -> Void = { _ in }) {
        members = [:]
        assign("name", name)
        assign("stale_after", staleAfter)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
        try require("stale_after", Duration.self, in: members)
    }

    /// The member `name`.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The member `owner_resource`.
    public var ownerResource: String? {
        get { optional("owner_resource") }
        set { assign("owner_resource", newValue) }
    }

    /// The member `severity`.
    public var severity: SlaSeverity? {
        get { optional("severity") }
        set { assign("severity", newValue) }
    }

    /// The member `enabled`.
    public var enabled: Bool? {
        get { optional("enabled") }
        set { assign("enabled", newValue) }
    }

    /// The member `stale_after`.
    public var staleAfter: Duration {
        get { required("stale_after") }
        set { assign("stale_after", newValue) }
    }
}

/// The API's `TimeToCompletionSla`.
public struct TimeToCompletionSla: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(name: String, duration: Int, _ configure: (inout TimeToCompletionSla) -> Void = { _ in }) {
        members = [:]
        assign("name", name)
        assign("duration", duration)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
        try require("duration", Int.self, in: members)
    }

    /// The member `name`.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The member `owner_resource`.
    public var ownerResource: String? {
        get { optional("owner_resource") }
        set { assign("owner_resource", newValue) }
    }

    /// The member `severity`.
    public var severity: SlaSeverity? {
        get { optional("severity") }
        set { assign("severity", newValue) }
    }

    /// The member `enabled`.
    public var enabled: Bool? {
        get { optional("enabled") }
        set { assign("enabled", newValue) }
    }

    /// The member `duration`.
    public var duration: Int {
        get { required("duration") }
        set { assign("duration", newValue) }
    }
}

/// The API's `SlaMergeResponse`.
public struct SlaMergeResponse: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("created", [String].self, in: members)
        try require("updated", [String].self, in: members)
        try require("deleted", [String].self, in: members)
    }

    /// The member `created`.
    public var created: [String] {
        get { required("created") }
        set { assign("created", newValue) }
    }

    /// The member `updated`.
    public var updated: [String] {
        get { required("updated") }
        set { assign("updated", newValue) }
    }

    /// The member `deleted`.
    public var deleted: [String] {
        get { required("deleted") }
        set { assign("deleted", newValue) }
    }
}

/// A service level agreement of Prefect Cloud.
public enum ServiceLevelAgreement: JSONConvertible {
    /// The case that the API's member `within` marks.
    case within(LatenessSla)
    /// The case that the API's member `stale_after` marks.
    case staleAfter(FrequencySla)
    /// The case that the API's member `duration` marks.
    case duration(TimeToCompletionSla)
    /// A value that this version does not know, as it is.
    case unknown(JSONValue)

    /// Reads a value. An unknown one is kept as it is.
    public init(jsonValue: JSONValue) throws(JSONDecodingError) {
        if jsonValue["within"] != nil {
            self = .within(try LatenessSla(jsonValue: jsonValue))
            return
        }
        if jsonValue["stale_after"] != nil {
            self = .staleAfter(try FrequencySla(jsonValue: jsonValue))
            return
        }
        if jsonValue["duration"] != nil {
            self = .duration(try TimeToCompletionSla(jsonValue: jsonValue))
            return
        }
        self = .unknown(jsonValue)
    }

    /// The value as JSON.
    public var jsonValue: JSONValue {
        switch self {
        case .within(let value): value.jsonValue
        case .staleAfter(let value): value.jsonValue
        case .duration(let value): value.jsonValue
        case .unknown(let value): value
        }
    }

    /// An unknown value.
    public static var jsonPlaceholder: ServiceLevelAgreement { .unknown(.null) }
}
