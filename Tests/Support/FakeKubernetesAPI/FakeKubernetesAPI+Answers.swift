internal import NIOCore
internal import OrderedCollections
internal import PrefectJSON
internal import Synchronization

/// The reply to a request.
enum FakeKubernetesReply: Sendable {
    case json(Int, JSONValue, retryAfter: Int? = nil)
    case text(String)
    /// A watch that begins with these events.
    case watch(FakeKubernetesAPI.Watcher, [JSONValue])

    static func status(_ code: Int, _ reason: String, _ message: String, retryAfter: Int? = nil) -> Self {
        .json(
            code,
            [
                "kind": "Status", "status": "Failure", "code": .int(code), "reason": .string(reason),
                "message": .string(message),
            ], retryAfter: retryAfter)
    }
}

extension FakeKubernetesAPI {
    /// Records a request and returns its fault.
    func take(_ request: Request) -> Fault? {
        defer { changes.notify() }
        return state.withLock { state in
            state.requests.append(request)
            for index in state.faults.indices where state.faults[index].left != 0 {
                guard state.faults[index].pattern.matches(method: request.method, path: request.path) else { continue }
                if let left = state.faults[index].left { state.faults[index].left = left - 1 }
                return state.faults[index].fault
            }
            return nil
        }
    }

    /// Carries out a request and returns its reply.
    func answer(_ request: Request, channel: any Channel) -> FakeKubernetesReply {
        if let refusal = refusal(of: request) { return refusal }
        if request.path == "/version" { return .json(200, ["gitVersion": "v1.99.0"]) }
        if request.path.hasSuffix("/selfsubjectaccessreviews") { return .json(201, review(request.body)) }
        guard let place = Place(request.path) else { return .status(404, "NotFound", "no such path") }
        switch (request.method, place.name) {
        case ("GET", nil) where request.query["watch"] == "true": return watch(place, request, channel)
        case ("GET", nil): return list(place, request)
        case ("GET", let name?) where place.subresource == "log":
            let pod = "\(place.namespace)/\(name)"
            let container = "\(pod)/\(request.query["container"] ?? "")"
            let text = state.withLock { state in
                request.query["previous"] == "true"
                    ? state.logs["\(container)/previous"] : state.logs[container] ?? state.logs[pod]
            }
            return text.map { .text($0) } ?? .status(404, "NotFound", "no log")
        case ("GET", let name?): return found(place, name).map { .json(200, $0) } ?? missing(place, name)
        case ("POST", nil): return create(place, request.body)
        case ("DELETE", let name?):
            guard let object = found(place, name) else { return missing(place, name) }
            if let uid = request.body["preconditions"]?["uid"], uid != object["metadata"]?["uid"] {
                return .status(409, "Conflict", "the UID in the precondition does not match")
            }
            if let version = request.body["preconditions"]?["resourceVersion"],
                version != object["metadata"]?["resourceVersion"]
            {
                return .status(409, "Conflict", "the ResourceVersion in the precondition does not match")
            }
            remove(place.resource, name, namespace: place.namespace)
            return .json(200, ["kind": "Status", "status": "Success"])
        case ("PUT", let name?):
            guard found(place, name) != nil else { return missing(place, name) }
            return .json(200, put(place.resource, request.body, namespace: place.namespace))
        default: return .status(405, "MethodNotAllowed", "not allowed")
        }
    }

    private struct Place {
        var resource = ""
        /// Empty for all namespaces.
        var namespace = ""
        var name: String?
        var subresource: String?

        init?(_ path: String) {
            let parts = path.split(separator: "/").map(String.init)
            guard let index = parts.firstIndex(of: "namespaces") else {
                guard let last = parts.last, ["jobs", "pods"].contains(last) else { return nil }
                resource = last
                return
            }
            guard parts.count > index + 2 else { return nil }
            namespace = parts[index + 1]
            resource = parts[index + 2]
            if parts.count > index + 3 { name = parts[index + 3] }
            if parts.count > index + 4 { subresource = parts[index + 4] }
        }

        func holds(_ key: ObjectKey) -> Bool {
            key.resource == resource && (namespace.isEmpty || key.namespace == namespace)
        }
    }

    private func refusal(of request: Request) -> FakeKubernetesReply? {
        let (tokens, forbidden) = state.withLock { ($0.tokens, $0.forbidden) }
        let token = request.authorization?.split(separator: " ").last.map(String.init) ?? ""
        if let tokens, !tokens.contains(token) { return .status(401, "Unauthorized", "Unauthorized") }
        guard let place = Place(request.path) else { return nil }
        let verb =
            switch request.method {
            case "GET": request.query["watch"] == "true" ? "watch" : place.name == nil ? "list" : "get"
            case "POST": "create"
            case "PUT": "update"
            default: request.method.lowercased()
            }
        let thing = place.subresource.map { "\(place.resource)/\($0)" } ?? place.resource
        let isClusterWide = place.namespace.isEmpty && forbidden.contains("\(verb) \(thing) in the cluster")
        guard isClusterWide || forbidden.contains("\(verb) \(thing)") else { return nil }
        return .status(403, "Forbidden", "\(thing) is forbidden: User \"w\" cannot \(verb) resource \"\(thing)\"")
    }

    private func review(_ body: JSONValue) -> JSONValue {
        let asked = body["spec"]?["resourceAttributes"]
        let thing = [asked?["resource"], asked?["subresource"]].compactMap { $0?.stringValue }.joined(separator: "/")
        let action = "\(asked?["verb"]?.stringValue ?? "") \(thing)"
        let place = asked?["namespace"]?.stringValue ?? ""
        let isAllowed = state.withLock {
            !$0.forbidden.contains(action) && !$0.forbidden.contains("\(action) in \(place)")
        }
        return ["kind": "SelfSubjectAccessReview", "status": ["allowed": .bool(isAllowed)]]
    }

    private func found(_ place: Place, _ name: String) -> JSONValue? {
        object(place.resource, name, namespace: place.namespace)
    }

    private func missing(_ place: Place, _ name: String) -> FakeKubernetesReply {
        .status(404, "NotFound", "\(place.resource) \"\(name)\" not found")
    }

    private func create(_ place: Place, _ body: JSONValue) -> FakeKubernetesReply {
        let name = body["metadata"]?["name"]?.stringValue ?? ""
        if found(place, name) != nil {
            return .status(409, "AlreadyExists", "\(place.resource) \"\(name)\" already exists")
        }
        return .json(201, put(place.resource, body, namespace: place.namespace))
    }

    private func list(_ place: Place, _ request: Request) -> FakeKubernetesReply {
        let (all, version, oldest) = state.withLock { state in
            let keys = state.objects.keys.filter { place.holds($0) }
            return (keys.sorted().compactMap { state.objects[$0] }, state.version, state.oldest)
        }
        let meant = all.filter { Self.fits($0, request.query) }
        var start = 0
        if let token = request.query["continue"]?.split(separator: ".").compactMap({ Int($0) }), token.count == 2 {
            guard token[0] >= oldest else { return .status(410, "Expired", "the continue token is too old") }
            start = token[1]
        }
        let limit = request.query["limit"].flatMap { Int($0) } ?? .max
        let end = limit < meant.count - start ? start + limit : meant.count
        var metadata: JSONValue = ["resourceVersion": .string(String(version))]
        if end < meant.count { metadata["continue"] = .string("\(version).\(end)") }
        return .json(200, ["kind": "List", "metadata": metadata, "items": .array(Array(meant[start..<end]))])
    }

    private static func fits(_ object: JSONValue, _ query: [String: String]) -> Bool {
        for part in (query["labelSelector"] ?? "").split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            let value = object["metadata"]?["labels"]?[pair[0]]?.stringValue
            if pair.count == 2 ? value != pair[1] : value == nil { return false }
        }
        switch query["fieldSelector"] {
        case "status.successful=0"?: return object["status"]?["succeeded"] != 1
        case "status.phase!=Succeeded"?: return object["status"]?["phase"] != "Succeeded"
        case let field? where field.hasPrefix("involvedObject.name="):
            return object["involvedObject"]?["name"]?.stringValue
                == String(field.dropFirst("involvedObject.name=".count))
        default: return true
        }
    }

    private func watch(_ place: Place, _ request: Request, _ channel: any Channel) -> FakeKubernetesReply {
        let from = request.query["resourceVersion"].flatMap { Int($0) } ?? 0
        let watcher = Watcher(resource: place.resource, namespace: place.namespace, channel: channel)
        return state.withLock { state in
            guard from >= state.oldest else { return .status(410, "Expired", "too old resource version") }
            state.watchers[ObjectIdentifier(channel)] = watcher
            let missed = state.history.filter {
                $0.version > from && place.holds($0.key)
            }
            return .watch(watcher, missed.map(\.event))
        }
    }
}
