internal import OrderedCollections
internal import PrefectJSON

extension Route {
    static let workPools: [Route] = [
        Route("POST", "/work_pools/") { world, call throws(Refusal) in
            let name = try call.string("name")
            let type = call["type"] == nil ? "prefect-agent" : try call.string("type")
            if name.lowercased().hasPrefix("prefect") {
                throw Refusal(status: 403, body: ["detail": "Names of work pools may not begin with 'prefect'."])
            }
            if world.pools[name] != nil {
                throw Refusal(status: 409, body: ["detail": .string("There is a work pool \"\(name)\" already.")])
            }
            let pool = world.createPool(
                name: name, type: type, template: try template(of: call) ?? [:],
                description: call["description"]?.stringValue, isPaused: call["is_paused"]?.boolValue ?? false,
                concurrencyLimit: call["concurrency_limit"]?.intValue)
            return .json(world.json(of: pool), status: 201)
        },
        Route("GET", "/work_pools/{}") { world, call throws(Refusal) in
            .json(world.json(of: try world.pool(named: call.arguments[0])))
        },
        Route("PATCH", "/work_pools/{}") { world, call throws(Refusal) in
            var pool = try world.pool(named: call.arguments[0])
            if let template = try template(of: call) { pool.baseJobTemplate = template }
            if let isPaused = call["is_paused"]?.boolValue { pool.isPaused = isPaused }
            if let description = call["description"]?.stringValue { pool.description = description }
            if let limit = call.body["concurrency_limit"] { pool.concurrencyLimit = limit.intValue }
            if let storage = try call.object("storage_configuration") { pool.storageConfiguration = storage }
            pool.updated = world.now
            world.pools[pool.name] = pool
            return .noContent
        },
        Route("DELETE", "/work_pools/{}") { world, call throws(Refusal) in
            guard world.removePool(named: call.arguments[0]) else {
                throw .notFound("There is no work pool \"\(call.arguments[0])\".")
            }
            return .noContent
        },
        Route("POST", "/work_pools/filter") { world, call throws(Refusal) in
            let filter = try Filter(call["work_pools"], at: "work_pools", knows: ["name", "id", "type"], call.body)
            let pools = world.pools.values.filter {
                filter.allows("name", $0.name) && filter.allows("id", $0.id) && filter.allows("type", $0.type)
            }
            let limit = try call.limit(atMost: world.configuration.pageLimit)
            return .json(JSONText.array(pools.prefix(limit).map { world.json(of: $0) }))
        },
        Route("POST", "/work_pools/{}/get_scheduled_flow_runs", poll),
        Route("POST", "/work_pools/{}/workers/heartbeat", heartbeat),
        Route("POST", "/work_pools/{}/workers/filter") { world, call throws(Refusal) in
            let pool = try world.pool(named: call.arguments[0])
            return .json(JSONText.array(pool.workers.map { $0.json(poolID: pool.id) }))
        },
        Route("POST", "/work_pools/{}/queues") { world, call throws(Refusal) in
            let pool = try world.pool(named: call.arguments[0])
            let name = try call.string("name")
            if world.queue(name, in: pool) != nil {
                throw Refusal(status: 409, body: ["detail": .string("There is a queue \"\(name)\" already.")])
            }
            var queue = world.createQueue(
                name, in: pool, priority: call["priority"]?.intValue,
                description: call["description"]?.stringValue ?? "")
            queue.isPaused = call["is_paused"]?.boolValue ?? false
            queue.concurrencyLimit = call["concurrency_limit"]?.intValue
            world.queues[queue.id] = queue
            return .json(world.json(of: queue, pool: pool.name), status: 201)
        },
        Route("POST", "/work_pools/{}/queues/filter") { world, call throws(Refusal) in
            let pool = try world.pool(named: call.arguments[0])
            let filter = try Filter(call["work_queues"], at: "work_queues", knows: ["name", "id"], call.body)
            let queues = world.queues(of: pool).filter { filter.allows("name", $0.name) && filter.allows("id", $0.id) }
            let limit = try call.limit(atMost: world.configuration.pageLimit)
            return .json(JSONText.array(queues.prefix(limit).map { world.json(of: $0, pool: pool.name) }))
        },
        Route("GET", "/work_pools/{}/queues/{}") { world, call throws(Refusal) in
            let (pool, queue) = try findQueue(world, call)
            return .json(world.json(of: queue, pool: pool.name))
        },
        Route("PATCH", "/work_pools/{}/queues/{}") { world, call throws(Refusal) in
            var (_, queue) = try findQueue(world, call)
            if let isPaused = call["is_paused"]?.boolValue { queue.isPaused = isPaused }
            if let limit = call.body["concurrency_limit"] { queue.concurrencyLimit = limit.intValue }
            if let priority = call["priority"]?.intValue { queue.priority = priority }
            world.queues[queue.id] = queue
            return .noContent
        },
        Route("DELETE", "/work_pools/{}/queues/{}") { world, call throws(Refusal) in
            let (_, queue) = try findQueue(world, call)
            world.queues[queue.id] = nil
            for id in Array(world.runs.keys) where world.runs[id]?.workQueueID == queue.id {
                world.runs[id]?.workQueueID = nil
            }
            return .noContent
        },
    ]

    /// The base job template of a request, which must declare the variables that it uses.
    private static func template(of call: Call) throws(Refusal) -> JSONValue? {
        guard let template = try call.object("base_job_template"), template != [:] else {
            return try call.object("base_job_template")
        }
        let (configuration, variables) = (template["job_configuration"], template["variables"])
        guard let configuration, let variables, configuration != [:], variables != [:] else {
            throw .invalid(["base_job_template"], "needs a job_configuration and variables", call.body)
        }
        let declared = variables["properties"]?.objectValue?.keys
        for placeholder in configuration.serialized().matches(of: /{{\s*([\w.\-\[\]$]+)\s*}}/) {
            guard declared?.contains(String(placeholder.1)) == true else {
                throw .invalid(["base_job_template"], "does not declare '\(placeholder.1)'", call.body)
            }
        }
        return template
    }

    private static func findQueue(_ world: World, _ call: Call) throws(Refusal) -> (FakeWorkPool, FakeWorkQueue) {
        let (name, queueName) = (call.arguments[0], call.arguments[1])
        guard let pool = world.pools[name], let queue = world.queue(queueName, in: pool) else {
            throw .notFound("There is no queue \"\(name)/\(queueName)\".")
        }
        return (pool, queue)
    }

    private static let poll: Handler = { world, call throws(Refusal) in
        let pool = try world.pool(named: call.arguments[0])
        var queues: [FakeWorkQueue] = []
        for name in try call.strings("work_queue_names") {
            guard let queue = world.queue(name, in: pool) else {
                throw .notFound("There is no queue \"\(pool.name)/\(name)\".")
            }
            queues.append(queue)
        }
        if queues.isEmpty { queues = world.queues(of: pool) }
        let limit = try call.limit(atMost: world.configuration.pageLimit)
        let runs = world.poll(
            pool: pool, queues: queues, before: try call.time("scheduled_before"),
            after: try call.time("scheduled_after"), limit: limit)
        let now = world.now
        return .json(
            JSONText.array(
                runs.map { run in
                    var text = JSONText()
                    text.add("work_pool_id", plain: pool.id)
                    text.add("work_queue_id", plain: run.workQueueID)
                    text.add("flow_run", raw: run.json(place: nil, now: now))
                    return text.closed
                }))
    }

    private static let heartbeat: Handler = { world, call throws(Refusal) in
        let name = try call.string("name")
        var interval: Int?
        if let value = call["heartbeat_interval_seconds"] {
            guard let seconds = value.intValue else {
                throw .invalid(["heartbeat_interval_seconds"], "should be a whole number", call.body)
            }
            interval = seconds
        }
        var pool = try world.pool(named: call.arguments[0])
        let now = world.now
        var worker =
            pool.workers.first { $0.name == name }
            ?? FakeWorker(id: world.newID(), name: name, created: now, lastHeartbeat: now)
        worker.heartbeats += 1
        worker.isOnline = true
        worker.lastHeartbeat = now
        worker.heartbeatInterval = interval
        pool.workers.removeAll { $0.name == name }
        pool.workers.append(worker)
        if !pool.isReady {
            pool.isReady = true
            pool.updated = now
        }
        world.pools[pool.name] = pool
        guard world.configuration.isCloud, call["return_id"]?.boolValue == true else { return .noContent }
        return Reply(status: 200, headers: [("content-type", "text/plain")], body: worker.id)
    }
}
