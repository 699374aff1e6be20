// Tests/Schema/generate.py makes this file.
public import FoundationEssentials
public import OrderedCollections
public import PrefectJSON

/// The API's `BlockType`.
public struct BlockType: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("name", String.self, in: members)
        try require("slug", String.self, in: members)
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

    /// A block type's name.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// A block type's slug.
    public var slug: String {
        get { required("slug") }
        set { assign("slug", newValue) }
    }

    /// Web URL for the block type's logo.
    public var logoURL: String? {
        get { optional("logo_url") }
        set { assign("logo_url", newValue) }
    }

    /// Web URL for the block type's documentation.
    public var documentationURL: String? {
        get { optional("documentation_url") }
        set { assign("documentation_url", newValue) }
    }

    /// A short blurb about the corresponding block's intended use.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// A code snippet demonstrating use of the corresponding block.
    public var codeExample: String? {
        get { optional("code_example") }
        set { assign("code_example", newValue) }
    }

    /// Protected block types cannot be modified via API.
    public var isProtected: Bool {
        get { member("is_protected", default: false) }
        set { assign("is_protected", newValue) }
    }
}

/// Data used by the Prefect REST API to create a block type.
public struct BlockTypeCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(name: String, slug: String, _ configure: (inout BlockTypeCreate) -> Void = { _ in }) {
        members = [:]
        assign("name", name)
        assign("slug", slug)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("name", String.self, in: members)
        try require("slug", String.self, in: members)
    }

    /// A block type's name.
    public var name: String {
        get { required("name") }
        set { assign("name", newValue) }
    }

    /// A block type's slug.
    public var slug: String {
        get { required("slug") }
        set { assign("slug", newValue) }
    }

    /// Web URL for the block type's logo.
    public var logoURL: String? {
        get { optional("logo_url") }
        set { assign("logo_url", newValue) }
    }

    /// Web URL for the block type's documentation.
    public var documentationURL: String? {
        get { optional("documentation_url") }
        set { assign("documentation_url", newValue) }
    }

    /// A short blurb about the corresponding block's intended use.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// A code snippet demonstrating use of the corresponding block.
    public var codeExample: String? {
        get { optional("code_example") }
        set { assign("code_example", newValue) }
    }
}

/// Data used by the Prefect REST API to update a block type.
public struct BlockTypeUpdate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout BlockTypeUpdate) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// The member `logo_url`.
    public var logoURL: String? {
        get { optional("logo_url") }
        set { assign("logo_url", newValue) }
    }

    /// The member `documentation_url`.
    public var documentationURL: String? {
        get { optional("documentation_url") }
        set { assign("documentation_url", newValue) }
    }

    /// The member `description`.
    public var description: String? {
        get { optional("description") }
        set { assign("description", newValue) }
    }

    /// The member `code_example`.
    public var codeExample: String? {
        get { optional("code_example") }
        set { assign("code_example", newValue) }
    }
}

/// The API's `BlockSchema`.
public struct BlockSchema: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("checksum", String.self, in: members)
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

    /// The block schema's unique checksum.
    public var checksum: String {
        get { required("checksum") }
        set { assign("checksum", newValue) }
    }

    /// The block schema's field schema.
    public var fields: JSONObject {
        get { member("fields", default: [:]) }
        set { assign("fields", newValue) }
    }

    /// A block type ID.
    public var blockTypeID: UUID? {
        get { optional("block_type_id") }
        set { assign("block_type_id", newValue) }
    }

    /// The associated block type.
    public var blockType: BlockType? {
        get { optional("block_type") }
        set { assign("block_type", newValue) }
    }

    /// A list of Block capabilities.
    public var capabilities: [String] {
        get { member("capabilities", default: []) }
        set { assign("capabilities", newValue) }
    }

    /// Human readable identifier for the block schema.
    public var version: String {
        get { member("version", default: "non-versioned") }
        set { assign("version", newValue) }
    }
}

/// Data used by the Prefect REST API to create a block schema.
public struct BlockSchemaCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(blockTypeID: UUID, _ configure: (inout BlockSchemaCreate) -> Void = { _ in }) {
        members = [:]
        assign("block_type_id", blockTypeID)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("block_type_id", UUID.self, in: members)
    }

    /// The block schema's field schema.
    public var fields: JSONObject? {
        get { optional("fields") }
        set { assign("fields", newValue) }
    }

    /// A block type ID.
    public var blockTypeID: UUID {
        get { required("block_type_id") }
        set { assign("block_type_id", newValue) }
    }

    /// A list of Block capabilities.
    public var capabilities: [String]? {
        get { optional("capabilities") }
        set { assign("capabilities", newValue) }
    }

    /// Human readable identifier for the block schema.
    public var version: String? {
        get { optional("version") }
        set { assign("version", newValue) }
    }
}

/// The API's `BlockDocument`.
public struct BlockDocument: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("id", UUID.self, in: members)
        try require("block_schema_id", UUID.self, in: members)
        try require("block_type_id", UUID.self, in: members)
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

    /// The block document's name.
    public var name: String? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// The block document's data.
    public var data: JSONObject {
        get { member("data", default: [:]) }
        set { assign("data", newValue) }
    }

    /// A block schema ID.
    public var blockSchemaID: UUID {
        get { required("block_schema_id") }
        set { assign("block_schema_id", newValue) }
    }

    /// The associated block schema.
    public var blockSchema: BlockSchema? {
        get { optional("block_schema") }
        set { assign("block_schema", newValue) }
    }

    /// A block type ID.
    public var blockTypeID: UUID {
        get { required("block_type_id") }
        set { assign("block_type_id", newValue) }
    }

    /// The associated block type's name.
    public var blockTypeName: String? {
        get { optional("block_type_name") }
        set { assign("block_type_name", newValue) }
    }

    /// The associated block type.
    public var blockType: BlockType? {
        get { optional("block_type") }
        set { assign("block_type", newValue) }
    }

    /// Record of the block document's references.
    public var blockDocumentReferences: OrderedDictionary<String, JSONObject> {
        get { member("block_document_references", default: [:]) }
        set { assign("block_document_references", newValue) }
    }

    /// Whether the block is anonymous (anonymous blocks are usually created by Prefect automatically).
    public var isAnonymous: Bool {
        get { member("is_anonymous", default: false) }
        set { assign("is_anonymous", newValue) }
    }
}

/// Data used by the Prefect REST API to create a block document.
public struct BlockDocumentCreate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value with its required members, which `configure` completes.
    public init(blockSchemaID: UUID, blockTypeID: UUID, _ configure: (inout BlockDocumentCreate) -> Void = { _ in }) {
        members = [:]
        assign("block_schema_id", blockSchemaID)
        assign("block_type_id", blockTypeID)
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
        try require("block_schema_id", UUID.self, in: members)
        try require("block_type_id", UUID.self, in: members)
    }

    /// The block document's name.
    public var name: String? {
        get { optional("name") }
        set { assign("name", newValue) }
    }

    /// The block document's data.
    public var data: JSONObject? {
        get { optional("data") }
        set { assign("data", newValue) }
    }

    /// A block schema ID.
    public var blockSchemaID: UUID {
        get { required("block_schema_id") }
        set { assign("block_schema_id", newValue) }
    }

    /// A block type ID.
    public var blockTypeID: UUID {
        get { required("block_type_id") }
        set { assign("block_type_id", newValue) }
    }

    /// Whether the block is anonymous (anonymous blocks are usually created by Prefect automatically).
    public var isAnonymous: Bool? {
        get { optional("is_anonymous") }
        set { assign("is_anonymous", newValue) }
    }
}

/// Data used by the Prefect REST API to update a block document.
public struct BlockDocumentUpdate: APIRecord {
    /// The members as they are sent.
    public var members: JSONObject

    /// Takes members without checking them.
    public init(unchecked members: JSONObject) { self.members = members }

    /// A value without members, which `configure` completes.
    public init(_ configure: (inout BlockDocumentUpdate) -> Void = { _ in }) {
        members = [:]
        configure(&self)
    }

    /// Checks the required members.
    public static func check(_ members: JSONObject) throws(JSONDecodingError) {
    }

    /// A block schema ID.
    public var blockSchemaID: UUID? {
        get { optional("block_schema_id") }
        set { assign("block_schema_id", newValue) }
    }

    /// The block document's data.
    public var data: JSONObject? {
        get { optional("data") }
        set { assign("data", newValue) }
    }

    /// The member `merge_existing_data`.
    public var mergeExistingData: Bool? {
        get { optional("merge_existing_data") }
        set { assign("merge_existing_data", newValue) }
    }
}
