internal import FoundationEssentials
internal import NIOHTTP1
internal import PrefectJSON

extension FakePrefectAPI {
    /// Records a request.
    func record(_ head: HTTPRequestHead, _ body: [UInt8], connection: Int) -> RecordedRequest {
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var query: [String: String] = [:]
        for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query[sides[0].percentDecoded] = sides.dropFirst().first?.percentDecoded ?? ""
        }
        let json = body.isEmpty ? .null : (try? JSONValue(parsing: body)) ?? .null
        return change { core in
            let base = core.world.configuration.basePath
            let full = String(parts.first ?? "")
            let path = full.hasPrefix(base + "/") ? String(full.dropFirst(base.count)) : full
            let request = RecordedRequest(
                number: core.takeRequestNumber(), connection: connection, method: head.method.rawValue,
                path: path, query: query, headers: head.headers.map { (name: $0.name, value: $0.value) },
                rawBody: body, body: json, time: Date())
            core.requests.append(request)
            return request
        }
    }

    /// Makes a request take effect and returns its true answer.
    func apply(_ request: RecordedRequest) -> Reply {
        change { core in
            if let refusal = refusal(of: request, core.world) { return Reply(refusal) }
            if !request.rawBody.isEmpty, request.body.isNull, request.rawBody != Array("null".utf8) {
                return Reply(.invalid([], "is no JSON", .null))
            }
            let call = Call(method: request.method, path: request.path, query: request.query, body: request.body)
            let (reply, isKnown) = Router.answer(call, in: &core.world)
            if isKnown, let index = core.index(ofRequest: request.number) { core.requests[index].isKnown = true }
            return reply
        }
    }

    /// Records the status of a request's answer.
    func finish(_ number: Int, status: Int?) {
        change { core in
            if let index = core.index(ofRequest: number) { core.requests[index].status = status }
        }
    }

    private func refusal(of request: RecordedRequest, _ world: World) -> Refusal? {
        let configuration = world.configuration
        let isProbe = request.path == "/health" || request.path == "/ready"
        if let wanted = configuration.authorization, !isProbe, request.header("authorization") != wanted {
            return Refusal(status: 401, body: ["exception_message": "Unauthorized"])
        }
        if let version = request.header("x-prefect-api-version") {
            let parts = version.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
            guard parts.count == 3, let major = parts[0], let minor = parts[1], parts[2] != nil else {
                return Refusal(status: 400, body: ["detail": "The API version should have the form x.y.z."])
            }
            if (major, minor) < (0, 8) { return Refusal(status: 400, body: ["detail": "The API version is too old."]) }
        }
        guard case .enabled = configuration.csrf, ["POST", "PUT", "PATCH", "DELETE"].contains(request.method) else {
            return nil
        }
        guard let token = request.header("prefect-csrf-token") else {
            return Refusal(status: 403, body: ["detail": "Missing CSRF token."])
        }
        guard let client = request.header("prefect-csrf-client") else {
            return Refusal(status: 403, body: ["detail": "Missing client identifier."])
        }
        guard let known = world.tokens[client], known.token == token, known.expires > world.now else {
            return Refusal(status: 403, body: ["detail": "Invalid CSRF token or client identifier."])
        }
        return nil
    }
}

extension FakePrefectAPI.Core {
    // Numbers increase by one, but the first requests may have been discarded.
    func index(ofRequest number: Int) -> Int? {
        guard let first = requests.first?.number, number >= first, number - first < requests.count else { return nil }
        return number - first
    }
}
