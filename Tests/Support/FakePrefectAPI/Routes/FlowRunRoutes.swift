internal import OrderedCollections
internal import PrefectJSON

extension Route {
    static let flowRuns: [Route] = [
        Route("POST", "/flow_runs/") { world, call throws(Refusal) in
            let flowID = try call.string("flow_id").lowercased()
            let now = world.now
            let state = try call["state"].map { value throws(Refusal) in try proposedState(value, call, now) }
            var run = FakeFlowRun(
                id: world.newID(), name: call["name"]?.stringValue ?? "fake-run-\(world.number())", flowID: flowID,
                deploymentID: call["deployment_id"]?.stringValue?.lowercased(), workQueueID: nil, created: now,
                jobVariables: try call.object("job_variables") ?? [:],
                parameters: try call.object("parameters") ?? [:], labels: ["prefect.flow.id": .string(flowID)],
                tags: try call.strings("tags"))
            if let policy = try call.object("empirical_policy") { run.empiricalPolicy = run.policy(changedBy: policy) }
            run.enter(state ?? FakeState(.pending, at: now), id: world.newID())
            world.runs[run.id] = run
            return .json(world.json(of: run), status: 201)
        },
        Route("GET", "/flow_runs/{id}") { world, call throws(Refusal) in
            .json(world.json(of: try world.run(call.arguments[0])))
        },
        Route("PATCH", "/flow_runs/{id}") { world, call throws(Refusal) in
            var run = try world.run(call.arguments[0])
            if let name = call["name"]?.stringValue { run.name = name }
            if let pid = call.body["infrastructure_pid"] { run.infrastructurePID = pid.stringValue }
            if let jobVariables = try call.object("job_variables") { run.jobVariables = jobVariables }
            if let parameters = try call.object("parameters") { run.parameters = parameters }
            if call["tags"] != nil { run.tags = try call.strings("tags") }
            if let policy = try call.object("empirical_policy") { run.empiricalPolicy = run.policy(changedBy: policy) }
            run.updated = world.now
            world.runs[run.id] = run
            return .noContent
        },
        Route("PATCH", "/flow_runs/{id}/labels") { world, call throws(Refusal) in
            var run = try world.run(call.arguments[0])
            var labels = run.labels.objectValue ?? [:]
            for (key, value) in call.body.objectValue ?? [:] { labels[key] = value }
            run.labels = .object(labels)
            world.runs[run.id] = run
            return .noContent
        },
        Route("DELETE", "/flow_runs/{id}") { world, call throws(Refusal) in
            let run = try world.run(call.arguments[0])
            world.runs[run.id] = nil
            return .noContent
        },
        Route("POST", "/flow_runs/{id}/set_state", setState),
        Route("POST", "/flow_runs/{id}/input") { world, call throws(Refusal) in
            let key = try call.string("key")
            guard try world.run(call.arguments[0]).inputs[key] == nil else {
                throw Refusal(status: 409, body: ["detail": "A flow run input with this key already exists."])
            }
            world.runs[call.arguments[0]]?.inputs[key] = try call.string("value")
            return Reply(status: 201)
        },
        Route("GET", "/flow_runs/{id}/input/{}") { world, call throws(Refusal) in
            guard let value = try world.run(call.arguments[0]).inputs[call.arguments[1]] else {
                throw .notFound("Flow run input not found")
            }
            return Reply(status: 200, headers: [("content-type", "text/plain; charset=utf-8")], body: value)
        },
        Route("POST", "/flow_runs/filter") { world, call throws(Refusal) in
            let limit = try call.limit(atMost: world.configuration.pageLimit)
            let runs = try filterRuns(world, call).dropFirst(call["offset"]?.intValue ?? 0).prefix(limit)
            return .json(JSONText.array(runs.map { world.json(of: $0) }))
        },
        Route("POST", "/flow_runs/count") { world, call throws(Refusal) in
            .json(.int(try filterRuns(world, call).count))
        },
        Route("GET", "/flow_run_states/") { world, call throws(Refusal) in
            guard let id = call.query["flow_run_id"] else {
                throw .invalid(["flow_run_id"], "is missing", .null)
            }
            return .json(JSONText.array(world.runs[id.lowercased()]?.states.map(\.json) ?? []))
        },
    ]

    /// The status 201 means that the run entered a state, even if it is not the proposed one; 200 means that it entered
    /// none.
    private static let setState: Handler = { world, call throws(Refusal) in
        guard let value = call["state"] else { throw .invalid(["state"], "is missing", call.body) }
        let state = try proposedState(value, call, world.now)
        let force = call["force"]?.boolValue ?? false
        guard let verdict = world.propose(state, for: call.arguments[0], force: force) else {
            throw Refusal(status: 404, body: ["exception_message": "There is no such flow run."])
        }
        let (status, details) = verdict.statusAndDetails
        var text = JSONText()
        text.add("state", raw: world.runs[call.arguments[0]]?.state?.json ?? "null")
        text.add("status", plain: status)
        text.add("details", details)
        return .json(text.closed, status: verdict.state == nil ? 200 : 201)
    }

    private static func filterRuns(_ world: World, _ call: Call) throws(Refusal) -> [FakeFlowRun] {
        let body = call.body
        for (member, value) in body.objectValue ?? [:] where !value.isNull {
            let known = [
                "flow_runs", "flows", "deployments", "work_pools", "work_pool_queues", "limit", "offset", "sort",
            ]
            guard known.contains(member) else { throw Filter.unknown(member) }
        }
        var members = call["flow_runs"]
        let stateMembers = members?["state"]
        members?["state"] = nil
        let latest = members?["next_scheduled_start_time"]?["before_"]?.stringValue.flatMap(WireTime.init(parsing:))
        members?["next_scheduled_start_time"] = nil
        let states = try Filter(stateMembers, at: "flow_runs.state", knows: ["type", "name"], body)
        let filter = try Filter(
            members, at: "flow_runs", knows: ["id", "name", "deployment_id", "flow_id", "work_queue_name"], body)
        let pools = try Filter(call["work_pools"], at: "work_pools", knows: ["name", "id"], body)
        let queues = try Filter(call["work_pool_queues"], at: "work_pool_queues", knows: ["name"], body)
        let deployments = try Filter(call["deployments"], at: "deployments", knows: ["id", "name"], body)
        let flows = try Filter(call["flows"], at: "flows", knows: ["id", "name"], body)
        let found = world.runs.values.filter { run in
            guard states.allows("type", run.stateType?.rawValue), states.allows("name", run.stateName),
                filter.allows("id", run.id), filter.allows("name", run.name),
                filter.allows("deployment_id", run.deploymentID), filter.allows("flow_id", run.flowID)
            else { return false }
            if let latest, run.nextScheduledStart.map({ $0 > latest }) ?? true { return false }
            let place = world.place(of: run)
            return filter.allows("work_queue_name", place.queue) && queues.allows("name", place.queue)
                && pools.allows("name", place.pool)
                && pools.allows("id", place.poolID) && deployments.allows("id", run.deploymentID)
                && deployments.allows("name", run.deploymentID.flatMap { world.deployments[$0]?.name })
                && flows.allows("id", run.flowID) && flows.allows("name", world.flows[run.flowID]?.name)
        }
        switch call["sort"]?.stringValue {
        case nil, "ID_DESC": return found.reversed()
        case "EXPECTED_START_TIME_ASC": return found.sorted(by: isExpectedEarlier)
        case "EXPECTED_START_TIME_DESC": return found.sorted { isExpectedEarlier($1, $0) }
        default: throw Filter.unknown("sort")
        }
    }

    private static func isExpectedEarlier(_ left: FakeFlowRun, _ right: FakeFlowRun) -> Bool {
        guard let first = left.expectedStart, let second = right.expectedStart else { return left.expectedStart != nil }
        return first < second
    }
}

extension FakeFlowRun {
    func policy(changedBy changes: JSONValue) -> JSONValue {
        var members = empiricalPolicy.objectValue ?? [:]
        for (key, value) in changes.objectValue ?? [:] { members[key] = value }
        return .object(members)
    }
}
