internal import OrderedCollections
public import PrefectJSON

/// A work pool, as the fake stores it.
public struct FakeWorkPool: Sendable {
    /// The pool's id.
    public let id: String
    /// The pool's name.
    public let name: String
    /// The worker type of the pool.
    public let type: String
    /// The id of the queue `default`.
    public let defaultQueueID: String
    /// The pool's description.
    public internal(set) var description: String?
    /// The base job template; empty until one is set.
    public internal(set) var baseJobTemplate: JSONValue
    /// Whether polls of the pool return no runs.
    public internal(set) var isPaused: Bool
    /// The number of runs of the pool that may be pending or running.
    public internal(set) var concurrencyLimit: Int?
    /// Whether a worker has sent a heartbeat.
    public internal(set) var isReady = false
    /// The workers that sent heartbeats, in the order of their first heartbeat.
    public internal(set) var workers: [FakeWorker] = []
    var storageConfiguration: JSONValue = [
        "bundle_upload_step": nil, "bundle_execution_step": nil, "default_result_storage_block_id": nil,
    ]
    let created: WireTime
    var updated: WireTime

    func json(activeSlots: Int) -> String {
        var text = JSONText()
        text.addIdentity(id: id, created: created, updated: updated, name: name)
        text.add("description", description)
        text.add("type", type)
        text.add("base_job_template", baseJobTemplate)
        text.add("is_paused", isPaused)
        text.add("concurrency_limit", concurrencyLimit)
        text.add("status", plain: isPaused ? "PAUSED" : isReady ? "READY" : "NOT_READY")
        text.add("default_queue_id", plain: defaultQueueID)
        text.add("storage_configuration", storageConfiguration)
        text.add("active_slots", concurrencyLimit == nil ? nil : activeSlots)
        return text.closed
    }
}

/// A worker that sent heartbeats over REST.
public struct FakeWorker: Sendable {
    /// The worker's id.
    public let id: String
    /// The worker's name, unique in its pool.
    public let name: String
    /// The interval that the worker last announced.
    public internal(set) var heartbeatInterval: Int?
    /// Whether the API counts the worker as online. A heartbeat makes it so.
    public internal(set) var isOnline = true
    /// The number of heartbeats that the worker sent.
    public internal(set) var heartbeats = 0
    let created: WireTime
    var lastHeartbeat: WireTime

    func json(poolID: String) -> String {
        var text = JSONText()
        text.addIdentity(id: id, created: created, updated: lastHeartbeat, name: name)
        text.add("work_pool_id", plain: poolID)
        text.add("last_heartbeat_time", lastHeartbeat)
        text.add("heartbeat_interval_seconds", heartbeatInterval)
        text.add("status", plain: isOnline ? "ONLINE" : "OFFLINE")
        return text.closed
    }
}

/// A work queue of a pool, as the fake stores it.
public struct FakeWorkQueue: Sendable {
    /// The queue's id.
    public let id: String
    /// The queue's name, unique in its pool.
    public let name: String
    /// The pool that the queue belongs to.
    public let poolID: String
    /// The rank among the pool's queues; 1 is served first.
    public internal(set) var priority: Int
    /// Whether polls return no runs from the queue.
    public internal(set) var isPaused = false
    /// The number of runs of the queue that may be pending or running.
    public internal(set) var concurrencyLimit: Int?
    /// Whether the queue was polled.
    public var isReady: Bool { lastPolled != nil }
    let description: String
    let created: WireTime
    var lastPolled: WireTime?

    func json(pool: String, activeSlots: Int) -> String {
        var text = JSONText()
        text.addIdentity(id: id, created: created, updated: lastPolled ?? created, name: name)
        text.add("description", description)
        text.add("is_paused", isPaused)
        text.add("concurrency_limit", concurrencyLimit)
        text.add("priority", priority)
        text.add("work_pool_id", plain: poolID)
        text.add("filter", raw: "null")
        text.add("last_polled", lastPolled)
        text.add("work_pool_name", pool)
        text.add("status", plain: isPaused ? "PAUSED" : isReady ? "READY" : "NOT_READY")
        text.add("active_slots", concurrencyLimit == nil ? nil : activeSlots)
        return text.closed
    }
}

/// A flow, as the fake stores it.
public struct FakeFlow: Sendable {
    /// The flow's id.
    public let id: String
    /// The flow's name, unique.
    public let name: String
    /// The flow's tags.
    public internal(set) var tags: [String]
    let created: WireTime

    var json: String {
        var text = JSONText()
        text.addIdentity(id: id, created: created, updated: created, name: name)
        text.add("tags", tags)
        text.add("labels", raw: "{}")
        return text.closed
    }
}

/// A deployment, as the fake stores it.
public struct FakeDeployment: Sendable {
    /// The treatment of a run that finds no free slot of the deployment's limit.
    public enum CollisionStrategy: String, Sendable {
        /// The run is scheduled again.
        case enqueue = "ENQUEUE"
        /// The run is cancelled.
        case cancelNew = "CANCEL_NEW"
    }

    /// The deployment's id.
    public let id: String
    /// The deployment's name, unique for its flow.
    public let name: String
    /// The deployment's flow.
    public let flowID: String
    /// The queue in which its runs wait.
    public internal(set) var workQueueID: String?
    /// The deployment's job variables.
    public internal(set) var jobVariables: JSONValue
    /// The deployment's parameters.
    public internal(set) var parameters: JSONValue
    /// The deployment's tags, which its runs receive too.
    public internal(set) var tags: [String]
    /// The entrypoint, for example `flow.py:main`.
    public internal(set) var entrypoint: String?
    /// The directory that the entrypoint is relative to.
    public internal(set) var path: String?
    /// The pull steps.
    public internal(set) var pullSteps: JSONValue
    /// The number of its runs that may be pending or running.
    public internal(set) var concurrencyLimit: Int?
    /// The treatment of a run beyond that limit.
    public internal(set) var collisionStrategy: CollisionStrategy
    /// Whether one of its queues was polled.
    public internal(set) var isReady = false
    /// The queue that was requested by name; polls return this name.
    let namedQueue: String?
    /// The leases that hold the limit's slots.
    var leases: Set<String> = []
    let limitID: String
    let created: WireTime
    var updated: WireTime

    func json(queue: String?, pool: String?) -> String {
        var text = JSONText()
        text.addIdentity(id: id, created: created, updated: updated, name: name)
        text.add("version", raw: "null")
        text.add("description", raw: "null")
        text.add("flow_id", plain: flowID)
        text.add("paused", false)
        text.add("schedules", raw: "[]")
        text.add("concurrency_limit", raw: "null")
        text.add("global_concurrency_limit", raw: limitJSON ?? "null")
        text.add(
            "concurrency_options",
            collisionStrategy == .enqueue ? .null : ["collision_strategy": .string(collisionStrategy.rawValue)])
        text.add("job_variables", jobVariables)
        text.add("parameters", parameters)
        text.add("tags", tags)
        text.add("labels", ["prefect.flow.id": .string(flowID)])
        text.add("work_queue_name", queue)
        text.add("work_queue_id", plain: workQueueID)
        text.add("last_polled", raw: "null")
        text.add("parameter_openapi_schema", raw: "{}")
        text.add("path", path)
        text.add("pull_steps", pullSteps)
        text.add("entrypoint", entrypoint)
        for absent in ["storage_document_id", "infrastructure_document_id", "created_by", "updated_by"] {
            text.add(absent, raw: "null")
        }
        text.add("work_pool_name", pool)
        text.add("status", plain: isReady ? "READY" : "NOT_READY")
        text.add("enforce_parameter_schema", true)
        return text.closed
    }

    private var limitJSON: String? {
        guard let concurrencyLimit else { return nil }
        var text = JSONText()
        text.addIdentity(id: limitID, created: created, updated: updated)
        text.add("active", true)
        text.add("name", "deployment:\(id)")
        text.add("limit", concurrencyLimit)
        text.add("active_slots", leases.count)
        text.add("slot_decay_per_second", 0.0)
        return text.closed
    }
}

/// A block document, as the fake stores it; every value counts as secret.
struct FakeBlock: Sendable {
    let id: String
    let slug: String
    let name: String
    let data: JSONValue
    let created: WireTime

    func json(includingSecrets: Bool) -> String {
        var text = JSONText()
        text.addIdentity(id: id, created: created, updated: created, name: name)
        text.add("data", includingSecrets ? data : data.masked)
        text.add("block_schema_id", plain: id)
        text.add("block_schema", ["fields": ["block_type_slug": .string(slug), "block_schema_references": [:]]])
        text.add("block_type_id", plain: id)
        text.add("block_type_name", slug)
        text.add("block_type", ["id": .string(id), "name": .string(slug), "slug": .string(slug)])
        text.add("block_document_references", raw: "{}")
        text.add("is_anonymous", false)
        return text.closed
    }
}

/// A variable, as the fake stores it.
struct FakeVariable: Sendable {
    let id: String
    let name: String
    let value: JSONValue
    let created: WireTime

    var json: String {
        var text = JSONText()
        text.addIdentity(id: id, created: created, updated: created, name: name)
        text.add("value", value)
        text.add("tags", raw: "[]")
        return text.closed
    }
}

extension JSONValue {
    fileprivate var masked: JSONValue {
        switch self {
        case .object(let members): .object(members.mapValues(\.masked))
        case .array(let elements): .array(elements.map(\.masked))
        case .null: .null
        default: "********"
        }
    }
}
