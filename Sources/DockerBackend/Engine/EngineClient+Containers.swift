internal import HTTPTransport
internal import JSON
internal import OrderedCollections

/// A container as the Engine describes it at a moment.
struct ContainerFacts: Sendable, Hashable {
    let id: String
    /// Without the slash that Engines put before it.
    let name: String
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    let status: String
    let exitCode: Int?
    let wasOutOfMemory: Bool
    /// Why the Engine could not start it, where it says so.
    let error: String?
    let hasTTY: Bool
    let memoryLimit: Int?

    /// Whether it has run to its end.
    var hasEnded: Bool { status == "exited" || status == "dead" }

    init(_ json: JSONValue) throws(EngineError) {
        guard let id = json["Id"]?.stringValue, let status = json["State"]?["Status"]?.stringValue else {
            throw EngineError(
                .malformed, operation: "inspect container", message: "the answer does not describe a container")
        }
        let state = json["State"]
        self.id = id
        name = String((json["Name"]?.stringValue ?? "").drop { $0 == "/" })
        self.status = status
        exitCode = state?["ExitCode"]?.intValue
        wasOutOfMemory = state?["OOMKilled"]?.boolValue ?? false
        error = state?["Error"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        hasTTY = json["Config"]?["Tty"]?.boolValue ?? false
        memoryLimit = json["HostConfig"]?["Memory"]?.intValue.flatMap { $0 > 0 ? $0 : nil }
    }
}

/// A container in a list.
struct ListedContainer: Sendable, Hashable {
    let id: String
    let status: String
    let created: Int
    let labels: OrderedDictionary<String, String>

    init?(_ json: JSONValue) {
        guard let id = json["Id"]?.stringValue else { return nil }
        self.id = id
        status = json["State"]?.stringValue ?? ""
        created = json["Created"]?.intValue ?? 0
        labels = (json["Labels"]?.objectValue ?? [:]).compactMapValues(\.stringValue)
    }
}

extension EngineClient {
    /// `POST /containers/create`. Returns the id and what the Engine warns of. The Engine may take long when it is busy.
    func create(
        _ body: JSONValue, name: String?, platform: String?
    ) async throws -> (id: String, warnings: [String]) {
        var query: [(name: String, value: String)] = []
        if let name { query.append(("name", name)) }
        if let platform { query.append(("platform", platform)) }
        let answer = try await call(
            Request(
                method: .post, path: "/containers/create", query: query, body: body, answerTime: timeout * 3,
                operation: "create container"))
        guard let id = answer["Id"]?.stringValue else {
            throw EngineError(
                .malformed, operation: "create container", message: "the answer has no id", mayHaveBeenDone: true)
        }
        return (id, answer["Warnings"]?.arrayValue?.compactMap(\.stringValue) ?? [])
    }

    /// `POST /containers/{id}/start`; one that runs already is well.
    func start(_ id: String) async throws {
        try await call(
            Request(
                method: .post, path: "/containers/\(Self.encoded(id))/start", answerTime: timeout * 3,
                operation: "start container"))
    }

    /// `GET /containers/{id}/json`
    func inspect(_ id: String) async throws -> ContainerFacts {
        try await ContainerFacts(
            call(Request(path: "/containers/\(Self.encoded(id))/json", operation: "inspect container")))
    }

    /// `POST /containers/{id}/stop`: SIGTERM or the image's own signal, after the grace SIGKILL. Returns when the container
    /// has ended; one that had ended already is well.
    func stop(_ id: String, grace: Duration) async throws {
        let seconds = max(0, grace.components.seconds)
        try await call(
            Request(
                method: .post, path: "/containers/\(Self.encoded(id))/stop", query: [("t", String(seconds))],
                answerTime: .seconds(seconds) + timeout, operation: "stop container"))
    }

    /// `DELETE /containers/{id}`, with its anonymous volumes. One that is gone, or going, is well.
    func remove(_ id: String, force: Bool) async throws {
        do {
            try await call(
                Request(
                    method: .delete, path: "/containers/\(Self.encoded(id))",
                    query: [("v", "1"), ("force", force ? "1" : "0")], operation: "remove container"))
        } catch let error as EngineError where error.isNotFound || error.message.contains("already in progress") {}
    }

    /// `GET /containers/json`: those with all of these labels, in any state or in one of some.
    func list(labels: [String], statuses: [String] = [], within limit: Duration? = nil) async throws
        -> [ListedContainer]
    {
        var filters: JSONValue = ["label": .array(labels.map(JSONValue.string))]
        if !statuses.isEmpty { filters["status"] = .array(statuses.map(JSONValue.string)) }
        let answer = try await call(
            Request(
                path: "/containers/json", query: [("all", "1"), ("filters", filters.serialized())], answerTime: limit,
                operation: "list containers"))
        return answer.arrayValue?.compactMap(ListedContainer.init) ?? []
    }

    /// `POST /networks/{name}/connect`
    func connect(_ id: String, toNetwork network: String) async throws {
        try await call(
            Request(
                method: .post, path: "/networks/\(Self.encoded(network))/connect",
                body: ["Container": .string(id), "EndpointConfig": [:]], operation: "connect container"))
    }
}
