internal import OrderedCollections
public import PrefectJSON

/// The members of a work pool that a worker needs. Mirrors the API's `WorkPool`.
public struct WorkerWorkPool: Sendable, Hashable, JSONDecodable {
    /// The pool's id.
    public let id: String
    /// The pool's name.
    public let name: String
    /// The type of infrastructure: `process`, `docker`, …, or a type that needs no worker, such as `ecs:push`.
    public let type: String
    /// The template that job configurations are rendered from; an empty object when the pool has none yet.
    public var baseJobTemplate: JSONValue
    /// Whether the pool currently hands out no runs.
    public let isPaused: Bool
    /// The maximum number of runs that the server allows to be pending or running at a time.
    public let concurrencyLimit: Int?

    /// Creates a pool of which only the name and type are known, such as a deleted pool.
    package init(name: String, type: String) {
        id = ""
        self.name = name
        self.type = type
        baseJobTemplate = [:]
        isPaused = false
        concurrencyLimit = nil
    }

    package init(json fields: JSONFields) throws(JSONDecodingError) {
        id = try fields.string("id")
        name = try fields.string("name")
        type = try fields.string("type")
        baseJobTemplate = fields.value("base_job_template") ?? [:]
        isPaused = fields.optionalBool("is_paused") ?? false
        concurrencyLimit = fields.optionalInt("concurrency_limit")
    }

    /// Whether Prefect Cloud itself submits the pool's runs.
    public var isPushPool: Bool { type.hasSuffix(":push") }

    /// Whether Prefect Cloud itself executes the pool's runs.
    public var isManagedPool: Bool { type.hasSuffix(":managed") }

    /// Whether the pool has a template.
    public var hasTemplate: Bool { !(baseJobTemplate.objectValue ?? [:]).isEmpty }
}

/// A queue of a work pool. Mirrors the API's `WorkQueue`.
public struct WorkerWorkQueue: Sendable, Hashable, JSONDecodable {
    /// The queue's id.
    public let id: String
    /// The queue's name.
    public let name: String
    /// Whether the queue currently hands out no runs.
    public let isPaused: Bool

    package init(json fields: JSONFields) throws(JSONDecodingError) {
        id = try fields.string("id")
        name = try fields.string("name")
        isPaused = fields.optionalBool("is_paused") ?? false
    }
}
