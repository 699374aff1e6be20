internal import BackendKit
internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// An event of a container.
struct ContainerEvent: Sendable, Hashable {
    let container: String
    /// `start`, `die`, `oom`, `destroy`, …
    let action: String
    /// The exit code, in a `die` event.
    let exitCode: Int?

    init?(_ json: JSONValue) {
        guard let id = json["Actor"]?["ID"]?.stringValue ?? json["id"]?.stringValue,
            let action = json["Action"]?.stringValue ?? json["status"]?.stringValue
        else { return nil }
        container = id
        self.action = action
        let attributes = json["Actor"]?["Attributes"]
        // Podman uses another name for the attribute.
        let code = attributes?["exitCode"] ?? attributes?["containerExitCode"]
        exitCode = code?.stringValue.flatMap { Int($0) } ?? code?.intValue
    }
}

extension EngineClient {
    /// `GET /events`: the events of all containers from now on. They are not filtered by owner, because Podman finds
    /// no containers by the name of a label. Returns as soon as the Engine listens. A stream that is silent for a
    /// minute ends: nothing would prove that the Engine still runs and reports every event.
    func events() async throws -> JSONLines {
        let filters: JSONValue = [
            "type": ["container"],
            "event": ["start", "die", "died", "oom", "pause", "unpause", "destroy", "remove"],
        ]
        let request = stream(
            .get, "/events", query: [("filters", filters.serialized())], answerTime: .seconds(20),
            silence: .seconds(60),
            operation: "watch events")
        return JSONLines(try await open(request).body, operation: request.operation)
    }

    /// `GET /events`: whether the Engine reports between two times that a container ran out of memory. Returns at the
    /// first such event, or else at the second time. Both times are those of the Engine's clock, in whole seconds.
    func reportsLackOfMemory(of id: String, from start: Timestamp, to end: Timestamp) async throws -> Bool {
        let filters: JSONValue = ["type": ["container"], "event": ["oom"], "container": [.string(id)]]
        let request = stream(
            .get, "/events",
            query: [
                ("since", String(start.wholeSeconds)), ("until", String(end.wholeSeconds)),
                ("filters", filters.serialized()),
            ],
            answerTime: .seconds(10), silence: .seconds(10), operation: "read events")
        for try await json in JSONLines(try await open(request).body, operation: request.operation) {
            if let event = ContainerEvent(json), event.container == id, event.action == "oom" { return true }
        }
        return false
    }

    /// `GET /containers/{id}/logs`: the container's output since a time, and its further output until the container
    /// ends.
    func followLogs(of id: String, since time: OutputTime?) async throws -> HTTPBody {
        // The task that follows a log may wait for long.
        try await inChildTask { try await self.openLog(of: id, since: time) }
    }

    private func openLog(of id: String, since time: OutputTime?) async throws -> HTTPBody {
        var query = [(name: "follow", value: "1"), ("stdout", "1"), ("stderr", "1"), ("timestamps", "1")]
        if let time { query.append(("since", time.decimal)) }
        var request = stream(
            .get, "/containers/\(id)/logs", query: query, answerTime: timeout, silence: nil, operation: "read logs")
        request.isMostlySilent = true
        return try await open(request).body
    }

    /// The last lines of a container's standard error, or of its whole output if it has a terminal.
    func lastErrors(of id: String, hasTTY: Bool, lines: Int) async throws -> [UInt8] {
        let request = self.request(
            .get, "/containers/\(id)/logs",
            query: [("stdout", hasTTY ? "1" : "0"), ("stderr", "1"), ("tail", String(lines))], operation: "read logs")
        let body: [UInt8]
        do {
            body = try await open(request).body.beginning(upTo: 256 << 10)
        } catch let error as TransportError {
            throw EngineError.error(for: error, operation: request.operation)
        }
        var decoder = LogDecoder(hasTTY: hasTTY)
        var records = (try? decoder.decode(body)) ?? []
        if let last = decoder.finish() { records.append(last) }
        return records.flatMap(\.bytes)
    }
}
