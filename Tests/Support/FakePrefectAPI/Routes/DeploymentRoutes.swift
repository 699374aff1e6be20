internal import OrderedCollections
internal import PrefectJSON

extension Route {
    static let flows: [Route] = [
        Route("POST", "/flows/") { world, call throws(Refusal) in
            let name = try call.string("name")
            let isNew = !world.flows.values.contains { $0.name == name }
            let flow = world.createFlow(named: name, tags: try call.strings("tags"))
            return .json(flow.json, status: isNew ? 201 : 200)
        },
        Route("GET", "/flows/{id}") { world, call throws(Refusal) in
            guard let flow = world.flows[call.arguments[0]] else { throw .notFound("There is no such flow.") }
            return .json(flow.json)
        },
        Route("GET", "/flows/name/{}") { world, call throws(Refusal) in
            guard let flow = world.flows.values.first(where: { $0.name == call.arguments[0] }) else {
                throw .notFound("There is no such flow.")
            }
            return .json(flow.json)
        },
        Route("DELETE", "/flows/{id}") { world, call throws(Refusal) in
            guard world.flows.removeValue(forKey: call.arguments[0]) != nil else {
                throw .notFound("There is no such flow.")
            }
            return .noContent
        },
    ]

    static let deployments: [Route] = [
        Route("POST", "/deployments/", createDeployment),
        Route("POST", "/deployments/filter") { world, call throws(Refusal) in
            let pools = try Filter(call["work_pools"], at: "work_pools", knows: ["name"], call.body)
            let found = world.deployments.values.compactMap { try? JSONValue(parsing: world.json(of: $0)) }
                .filter { pools.allows("name", $0["work_pool_name"]?.stringValue) }
            let rows = found.dropFirst(call["offset"]?.intValue ?? 0).prefix(try call.limit(atMost: 200))
            return .json(.array(Array(rows)))
        },
        Route("GET", "/deployments/{id}") { world, call throws(Refusal) in
            .json(world.json(of: try findDeployment(world, call)))
        },
        Route("GET", "/deployments/name/{}/{}") { world, call throws(Refusal) in
            let flow = world.flows.values.first { $0.name == call.arguments[0] }
            let found = world.deployments.values.first { $0.name == call.arguments[1] && $0.flowID == flow?.id }
            guard let found else { throw .notFound("There is no such deployment.") }
            return .json(world.json(of: found))
        },
        Route("PATCH", "/deployments/{id}") { world, call throws(Refusal) in
            var deployment = try findDeployment(world, call)
            if let jobVariables = try call.object("job_variables") { deployment.jobVariables = jobVariables }
            if let parameters = try call.object("parameters") { deployment.parameters = parameters }
            if call["tags"] != nil { deployment.tags = try call.strings("tags") }
            if let limit = call.body["concurrency_limit"] { deployment.concurrencyLimit = limit.intValue }
            if let entrypoint = call["entrypoint"]?.stringValue { deployment.entrypoint = entrypoint }
            deployment.updated = world.now
            world.deployments[deployment.id] = deployment
            return .noContent
        },
        Route("DELETE", "/deployments/{id}") { world, call throws(Refusal) in
            guard world.removeDeployment(call.arguments[0]) else { throw .notFound("There is no such deployment.") }
            return .noContent
        },
        Route("POST", "/deployments/{id}/create_flow_run") { world, call throws(Refusal) in
            let deployment = try findDeployment(world, call)
            let state = try call["state"].map { value throws(Refusal) in try proposedState(value, call, world.now) }
            let key = call["idempotency_key"]?.stringValue
            // A key belongs to the flow, not to the deployment.
            let existing = world.runs.values.first { run in
                key != nil && run.flowID == deployment.flowID && run.idempotencyKey == key
            }
            if let existing { return .json(world.json(of: existing)) }
            let run = world.createRun(
                of: deployment, state: state, name: call["name"]?.stringValue,
                jobVariables: try call.object("job_variables") ?? [:],
                parameters: try call.object("parameters") ?? [:], tags: try call.strings("tags"), idempotencyKey: key)
            return .json(world.json(of: run), status: 201)
        },
    ]

    private static func findDeployment(_ world: World, _ call: Call) throws(Refusal) -> FakeDeployment {
        guard let deployment = world.deployments[call.arguments[0]] else {
            throw .notFound("There is no such deployment.")
        }
        return deployment
    }

    private static let createDeployment: Handler = { world, call throws(Refusal) in
        let name = try call.string("name")
        let flowID = try call.string("flow_id").lowercased()
        guard world.flows[flowID] != nil else {
            throw Refusal(status: 409, body: ["detail": "The deployment's flow does not exist."])
        }
        var queueID: String?
        if let poolName = call["work_pool_name"]?.stringValue {
            let pool = try world.pool(named: poolName)
            let queueName = call["work_queue_name"]?.stringValue ?? "default"
            queueID = (world.queue(queueName, in: pool) ?? world.createQueue(queueName, in: pool)).id
        }
        let strategy = call["concurrency_options"]?["collision_strategy"]?.stringValue
        // A deployment of the same name is replaced and keeps its id.
        let existing = world.deployments.values.first { $0.name == name && $0.flowID == flowID }
        let now = world.now
        let deployment = FakeDeployment(
            id: existing?.id ?? world.newID(), name: name, flowID: flowID, workQueueID: queueID,
            jobVariables: try call.object("job_variables") ?? [:], parameters: try call.object("parameters") ?? [:],
            tags: try call.strings("tags"), entrypoint: call["entrypoint"]?.stringValue,
            path: call["path"]?.stringValue, pullSteps: call["pull_steps"] ?? [],
            concurrencyLimit: call["concurrency_limit"]?.intValue,
            collisionStrategy: strategy.flatMap(FakeDeployment.CollisionStrategy.init) ?? .enqueue,
            namedQueue: call["work_queue_name"]?.stringValue, limitID: world.newID(), created: existing?.created ?? now,
            updated: now)
        world.deployments[deployment.id] = deployment
        return .json(world.json(of: deployment), status: existing == nil ? 201 : 200)
    }

    /// The state of a request, with the server's defaults.
    static func proposedState(_ value: JSONValue, _ call: Call, _ now: WireTime) throws(Refusal) -> FakeState {
        guard value.objectValue != nil else { throw .invalid(["state"], "should be an object", call.body) }
        guard let type = value["type"]?.stringValue.flatMap(FakeState.Kind.init) else {
            throw .invalid(["state", "type"], "should be the type of a state", call.body)
        }
        return FakeState(
            type, name: value["name"]?.stringValue, message: value["message"]?.stringValue,
            details: value["state_details"] ?? [:], data: value["data"] ?? .null, at: now)
    }
}
