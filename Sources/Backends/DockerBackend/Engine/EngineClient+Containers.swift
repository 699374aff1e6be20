internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON
internal import PrefectREST

/// A container as the Engine describes it at one moment.
struct ContainerFacts: Sendable, Hashable {
    let id: String
    /// The name without the slash that Engines put before it.
    let name: String
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    let status: String
    let exitCode: Int?
    /// When the container ended last.
    let finished: Timestamp?
    let wasOutOfMemory: Bool
    /// The reason why the Engine could not start the container, if the Engine reports one.
    let error: String?
    let hasTTY: Bool
    let memoryLimit: Int?

    /// Whether the container has run to its end.
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
        finished = state?["FinishedAt"]?.stringValue.flatMap { Timestamp($0) }
        wasOutOfMemory = state?["OOMKilled"]?.boolValue ?? false
        error = state?["Error"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        hasTTY = json["Config"]?["Tty"]?.boolValue ?? false
        memoryLimit = json["HostConfig"]?["Memory"]?.intValue.flatMap { $0 > 0 ? $0 : nil }
    }
}

/// One element of a list of containers.
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
    /// `POST /containers/create`. Returns the container's id and the Engine's warnings. A busy Engine may take long.
    func create(
        _ body: JSONValue, name: String?, platform: String?
    ) async throws -> (id: String, warnings: [String]) {
        var query: [(name: String, value: String)] = []
        if let name { query.append(("name", name)) }
        if let platform { query.append(("platform", platform)) }
        let answer = try await call(
            request(
                .post, "/containers/create", query: query, body: body, answerTime: timeout * 3,
                operation: "create container"))
        guard let id = answer["Id"]?.stringValue else {
            throw EngineError(
                .malformed, operation: "create container", message: "the answer has no id", mayHaveBeenApplied: true)
        }
        return (id, answer["Warnings"]?.arrayValue?.compactMap(\.stringValue) ?? [])
    }

    /// `POST /containers/{id}/start`. A container that is already running is not an error.
    func start(_ id: String) async throws {
        try await call(
            request(.post, "/containers/\(id)/start", answerTime: timeout * 3, operation: "start container"))
    }

    /// `GET /containers/{id}/json`
    func inspect(_ id: String) async throws -> ContainerFacts {
        try await ContainerFacts(call(request(.get, "/containers/\(id)/json", operation: "inspect container")))
    }

    /// `POST /containers/{id}/stop`: sends SIGTERM or the image's own signal, and SIGKILL after the grace. Returns
    /// when the container has ended. A container that had already ended is not an error.
    func stop(_ id: String, grace: Duration) async throws {
        let seconds = max(0, grace.components.seconds)
        try await call(
            request(
                .post, "/containers/\(id)/stop", query: [("t", String(seconds))],
                answerTime: .seconds(seconds) + timeout, operation: "stop container"))
    }

    /// `DELETE /containers/{id}`, with the container's anonymous volumes. A container that is gone, or being removed,
    /// is not an error.
    func remove(_ id: String, force: Bool) async throws {
        do {
            try await call(
                request(
                    .delete, "/containers/\(id)", query: [("v", "1"), ("force", force ? "1" : "0")],
                    operation: "remove container"))
        } catch let error as EngineError where error.isNotFound || error.message.contains("already in progress") {}
    }

    /// `GET /containers/json`: the containers with all of these labels, in any state or in one of `statuses`.
    func list(labels: [String], statuses: [String] = [], within limit: Duration? = nil) async throws
        -> [ListedContainer]
    {
        var filters: JSONValue = ["label": .array(labels.map(JSONValue.string))]
        if !statuses.isEmpty { filters["status"] = .array(statuses.map(JSONValue.string)) }
        let answer = try await call(
            request(
                .get, "/containers/json", query: [("all", "1"), ("filters", filters.serialized())], answerTime: limit,
                operation: "list containers"))
        return answer.arrayValue?.compactMap(ListedContainer.init) ?? []
    }

    /// `POST /networks/{name}/connect`
    func connect(_ id: String, toNetwork network: String) async throws {
        try await call(
            request(
                .post, "/networks/\(network)/connect",
                body: ["Container": .string(id), "EndpointConfig": [:]], operation: "connect container"))
    }
}
