internal import FoundationEssentials
internal import OrderedCollections
internal import PrefectJSON

extension Route {
    /// Records that are written once and read back: logs, events, blocks and variables.
    static let records: [Route] = [
        Route("POST", "/logs/") { world, call throws(Refusal) in
            let items = try records(of: call, with: ["name", "level", "message", "timestamp"])
            for var item in items {
                item["id"] = .string(world.newID())
                world.logs.append(item)
            }
            return .json("null", status: 201)
        },
        Route("POST", "/logs/filter") { world, call throws(Refusal) in
            let filter = try Filter(call["logs"], at: "logs", knows: ["flow_run_id"], call.body)
            let limit = try call.limit(atMost: world.configuration.pageLimit)
            let found = world.logs.filter { filter.allows("flow_run_id", $0["flow_run_id"]?.stringValue) }
                .map { (time: Timestamp($0["timestamp"]?.stringValue ?? ""), line: $0) }
                .sorted { ($0.time?.microseconds ?? 0) < ($1.time?.microseconds ?? 0) }
                .map(\.line)
            return .json(.array(Array(found.dropFirst(call["offset"]?.intValue ?? 0).prefix(limit))))
        },
        Route("POST", "/events") { world, call throws(Refusal) in
            world.events += try records(of: call, with: ["occurred", "event", "resource", "id"])
            return .noContent
        },
        Route("POST", "/events/filter") { world, call throws(Refusal) in
            let names = call["filter"]?["event"]?["name"]?.arrayValue?.compactMap(\.stringValue)
            let found = world.events.filter { event in
                names.map { $0.contains(event["event"]?.stringValue ?? "") } ?? true
            }
            return .json(["events": .array(found), "total": .int(found.count), "next_page": nil])
        },
        Route("GET", "/block_documents/{id}") { world, call throws(Refusal) in
            try blockDocument(world.blocks.first { $0.id == call.arguments[0] }, call)
        },
        Route("GET", "/block_types/slug/{}/block_documents/name/{}") { world, call throws(Refusal) in
            try blockDocument(
                world.blocks.first { $0.slug == call.arguments[0] && $0.name == call.arguments[1] }, call)
        },
        Route("GET", "/block_types/slug/{}") { world, call throws(Refusal) in
            guard let block = world.blocks.first(where: { $0.slug == call.arguments[0] }) else {
                throw .notFound("There is no such block type.")
            }
            return .json(["id": .string(block.id), "name": .string(block.slug), "slug": .string(block.slug)])
        },
        Route("POST", "/variables/") { world, call throws(Refusal) in
            let name = try call.string("name")
            if world.variables[name] != nil {
                throw Refusal(status: 409, body: ["detail": .string("There is a variable \"\(name)\" already.")])
            }
            let value = call.body["value"] ?? .null
            let variable = FakeVariable(id: world.newID(), name: name, value: value, created: world.now)
            world.variables[name] = variable
            return .json(variable.json, status: 201)
        },
        Route("GET", "/variables/name/{}") { world, call throws(Refusal) in
            guard let variable = world.variables[call.arguments[0]] else {
                throw .notFound("There is no such variable.")
            }
            return .json(variable.json)
        },
        Route("DELETE", "/variables/name/{}") { world, call throws(Refusal) in
            guard world.variables.removeValue(forKey: call.arguments[0]) != nil else {
                throw .notFound("There is no such variable.")
            }
            return .noContent
        },
    ]

    /// The server itself: health, version and tokens.
    static let server: [Route] = [
        Route("GET", "/health") { _, _ throws(Refusal) in .json("true") },
        Route("GET", "/ready") { _, _ throws(Refusal) in .json(["message": "OK"]) },
        Route("GET", "/hello") { _, _ throws(Refusal) in .json("\"hello\"") },
        Route("GET", "/admin/version") { world, _ throws(Refusal) in
            .json(JSONValue.string(world.configuration.version))
        },
        Route("GET", "/csrf-token", csrfToken),
    ]

    private static let csrfToken: Handler = { world, call throws(Refusal) in
        switch world.configuration.csrf {
        case .absent: throw .notFound("Not Found")
        case .disabled: throw Refusal(status: 422, body: ["detail": "CSRF protection is disabled."])
        case .enabled(let lifetime):
            guard let client = call.query["client"] else { throw .invalid(["client"], "is missing", .null) }
            let now = world.now
            let token = UUID().uuidString.lowercased()
            let expires = now.adding(seconds: lifetime / .seconds(1))
            world.tokens[client] = (token, expires)
            var text = JSONText()
            text.addIdentity(id: world.newID(), created: now, updated: now)
            text.add("token", plain: token)
            text.add("client", client)
            text.add("expiration", expires)
            return .json(text.closed)
        }
    }

    private static func blockDocument(_ block: FakeBlock?, _ call: Call) throws(Refusal) -> Reply {
        guard let block else { throw .notFound("There is no such block document.") }
        return .json(block.json(includingSecrets: call.query["include_secrets"]?.lowercased() == "true"))
    }

    private static func records(of call: Call, with members: [String]) throws(Refusal) -> [JSONValue] {
        guard let items = call.body.arrayValue else { throw .invalid([], "should be a list", call.body) }
        for (index, item) in items.enumerated() {
            for member in members where item[member] == nil {
                throw .invalid([String(index), member], "is missing", call.body)
            }
        }
        return items
    }
}
