// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// The API's `Variable`.
public struct Variable: APIRecord {
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

    /// The name of the variable.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The value of the variable.
    public var value: JSONValue? {
        get { optional("value") }
        set { assign("value", newValue) }
    }

    /// A list of variable tags.
    public var tags: [String] {
        get { member("tags", default: []) }
        set { assign("tags", newValue) }
    }
}

/// Data used by the Prefect REST API to create a Variable.
public struct VariableCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(name: String, _ configure: (inout VariableCreate) -> Void = { _ in }) {
        members = [:]
        assign("name", name)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
    }

    /// The name of the variable.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The value of the variable.
    public var value: JSONValue? {
        get { optional("value") }
        set { assign("value", newValue) }
    }

    /// A list of variable tags.
    public var tags: [String]? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }
}

/// Data used by the Prefect REST API to update a Variable.
public struct VariableUpdate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout VariableUpdate) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `name`.
    public var name: String? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// The value of the variable.
    public var value: JSONValue? {
        get { optional("value") }
        set { assign("value", newValue) }
    }

    /// A list of variable tags.
    public var tags: [String]? {
        get { optional("tags") }
        set { assign("tags", newValue) }
    }
}

/// The API's `Artifact`.
public struct Artifact: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
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

    /// An optional unique reference key for this artifact.
    public var key: String? {
        get { optional("key") }
        set { assign("key", newValue) }
    }

    /// An identifier that describes the shape of the data field.
    public var type: String? {
        get { optional("type") }
        set { assign("type", newValue) }
    }

    /// A markdown-enabled description of the artifact.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// Data associated with the artifact, e.g.
    public var data: JSONValue? {
        get { optional("data") }
        set { assign("data", newValue) }
    }

    /// User-defined artifact metadata.
    public var metadata: OrderedDictionary<String, String>? {
        get { optional("metadata_") }
        set { assign("metadata_", newValue) }
    }

    /// The flow run associated with the artifact.
    public var flowRunID: UUID? {
        get { optional("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }

    /// The task run associated with the artifact.
    public var taskRunID: UUID? {
        get { optional("task_run_id") }
        set { assign("task_run_id", newValue) }
    }
}

/// The API's `ArtifactCollection`.
public struct ArtifactCollection: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("key", String.self, in: members)
        try require("latest_id", UUID.self, in: members)
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

    /// An optional unique reference key for this artifact.
    public var key: String {
        get { required("key") }
        set { assign("key", newValue) }
    }

    /// The latest artifact ID associated with the key.
    public var latestID: UUID {
        get { required("latest_id") }
        set { assign("latest_id", newValue) }
    }

    /// An identifier that describes the shape of the data field.
    public var type: String? {
        get { optional("type") }
        set { assign("type", newValue) }
    }

    /// A markdown-enabled description of the artifact.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// Data associated with the artifact, e.g.
    public var data: JSONValue? {
        get { optional("data") }
        set { assign("data", newValue) }
    }

    /// User-defined artifact metadata.
    public var metadata: OrderedDictionary<String, String>? {
        get { optional("metadata_") }
        set { assign("metadata_", newValue) }
    }

    /// The flow run associated with the artifact.
    public var flowRunID: UUID? {
        get { optional("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }

    /// The task run associated with the artifact.
    public var taskRunID: UUID? {
        get { optional("task_run_id") }
        set { assign("task_run_id", newValue) }
    }
}

/// Data used by the Prefect REST API to create an artifact.
public struct ArtifactCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout ArtifactCreate) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// An optional unique reference key for this artifact.
    public var key: String? {
        get { optional("key") }
        set { assign("key", newValue) }
    }

    /// An identifier that describes the shape of the data field.
    public var type: String? {
        get { optional("type") }
        set { assign("type", newValue) }
    }

    /// A markdown-enabled description of the artifact.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// Data associated with the artifact, e.g.
    public var data: JSONValue? {
        get { optional("data") }
        set { assign("data", newValue) }
    }

    /// User-defined artifact metadata.
    public var metadata: OrderedDictionary<String, String>? {
        get { optional("metadata_") }
        set { assign("metadata_", newValue) }
    }

    /// The flow run associated with the artifact.
    public var flowRunID: UUID? {
        get { optional("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }

    /// The task run associated with the artifact.
    public var taskRunID: UUID? {
        get { optional("task_run_id") }
        set { assign("task_run_id", newValue) }
    }
}

/// Data used by the Prefect REST API to update an artifact.
public struct ArtifactUpdate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout ArtifactUpdate) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `data`.
    public var data: JSONValue? {
        get { optional("data") }
        set { assign("data", newValue) }
    }

    /// The member `description`.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// The member `metadata_`.
    public var metadata: OrderedDictionary<String, String>? {
        get { optional("metadata_") }
        set { assign("metadata_", newValue) }
    }
}

/// The API's `Log`.
public struct Log: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("name", String.self, in: members)
        try require("level", Int.self, in: members)
        try require("message", String.self, in: members)
        try require("timestamp", Timestamp.self, in: members)
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

    /// The logger name.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The log level.
    public var level: Int {
        get { required("level") }
        set { assign("level", newValue) }
    }

    /// The log message.
    public var message: String {
        get { required("message") }
        set { assign("message", newValue) }
    }

    /// The log timestamp.
    public var timestamp: Timestamp {
        get { required("timestamp") }
        set { assign("timestamp", newValue) }
    }

    /// The flow run ID associated with the log.
    public var flowRunID: UUID? {
        get { optional("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }

    /// The task run ID associated with the log.
    public var taskRunID: UUID? {
        get { optional("task_run_id") }
        set { assign("task_run_id", newValue) }
    }
}

/// Data used by the Prefect REST API to create a log.
public struct LogCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(
        name: String, level: Int, message: String, timestamp: Timestamp,
        _ configure: (inout LogCreate) -> Void = { _ in }
    ) {
        members = [:]
        assign("name", name)
        assign("level", level)
        assign("message", message)
        assign("timestamp", timestamp)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
        try require("level", Int.self, in: members)
        try require("message", String.self, in: members)
        try require("timestamp", Timestamp.self, in: members)
    }

    /// The logger name.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// The log level.
    public var level: Int {
        get { required("level") }
        set { assign("level", newValue) }
    }

    /// The log message.
    public var message: String {
        get { required("message") }
        set { assign("message", newValue) }
    }

    /// The log timestamp.
    public var timestamp: Timestamp {
        get { required("timestamp") }
        set { assign("timestamp", newValue) }
    }

    /// The member `flow_run_id`.
    public var flowRunID: UUID? {
        get { optional("flow_run_id") }
        set { assign("flow_run_id", newValue) }
    }

    /// The member `task_run_id`.
    public var taskRunID: UUID? {
        get { optional("task_run_id") }
        set { assign("task_run_id", newValue) }
    }

    /// The member `worker_id`.
    public var workerID: UUID? {
        get { optional("worker_id") }
        set { assign("worker_id", newValue) }
    }
}

/// Server-side default result storage configuration.
public struct ServerDefaultResultStorage: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The block document ID of the server default result storage block.
    public var defaultResultStorageBlockID: UUID? {
        get { optional("default_result_storage_block_id") }
        set { assign("default_result_storage_block_id", newValue) }
    }
}
