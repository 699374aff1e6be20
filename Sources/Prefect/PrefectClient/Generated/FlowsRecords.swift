// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// The API's `Flow`.
public struct Flow: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("name", String.self, in: members)
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

    /// The name of the flow.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// A list of flow tags.
    public var tags: [String] {
        get { member("tags", default: []) }
        set { assign("tags", newValue) }
    }

    /// A dictionary of key-value labels.
    public var labels: JSONObject? {
        get { optional("labels") }
        set { assign("labels", newValue) }
    }
}

/// Data used by the Prefect REST API to create a flow.
public struct FlowCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(name: String, _ configure: (inout FlowCreate) -> Void = { _ in }) {
        members = [:]
        assign("name", name)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
    }

    /// The name of the flow.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// A list of flow tags.
    public var tags: [String]? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }

    /// A dictionary of key-value labels.
    public var labels: JSONObject? {
        get { optional("labels") }
        set { assign("labels", newValue) }
    }
}
