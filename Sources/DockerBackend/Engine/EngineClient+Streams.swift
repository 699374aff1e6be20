internal import HTTPTransport
internal import JSON
internal import Worker

/// Something that happened to a container.
struct ContainerEvent: Sendable, Hashable {
    let container: String
    /// `start`, `die`, `oom`, `destroy`, …
    let action: String
    /// With `die`.
    let exitCode: Int?

    init?(_ json: JSONValue) {
        guard let id = json["Actor"]?["ID"]?.stringValue ?? json["id"]?.stringValue,
            let action = json["Action"]?.stringValue ?? json["status"]?.stringValue
        else { return nil }
        container = id
        self.action = action
        let attributes = json["Actor"]?["Attributes"]
        // Podman calls it otherwise.
        let code = attributes?["exitCode"] ?? attributes?["containerExitCode"]
        exitCode = code?.stringValue.flatMap { Int($0) } ?? code?.intValue
    }
}

extension EngineClient {
    /// `GET /events`: what happens to containers from now on, whoever's they are: Podman finds none by the name of a label.
    /// Returns as soon as the Engine listens. A stream that is silent for a minute ends, since nobody could say whether
    /// there still is anybody at the other end, and whether it tells everything.
    func events() async throws -> JSONLines {
        let filters: JSONValue = [
            "type": ["container"],
            "event": ["start", "die", "died", "oom", "pause", "unpause", "destroy", "remove"],
        ]
        let request = Request(
            path: "/events", query: [("filters", filters.serialized())], answerTime: .seconds(20),
            silence: .seconds(60), isStream: true, operation: "watch events")
        return JSONLines(try await open(request).body, request)
    }

    /// `GET /containers/{id}/logs`: what it has written since a time, and what it writes, until it ends.
    func followLogs(of id: String, since time: OutputTime?) async throws -> HTTPBody {
        var query = [(name: "follow", value: "1"), ("stdout", "1"), ("stderr", "1"), ("timestamps", "1")]
        if let time { query.append(("since", time.decimal)) }
        return try await open(
            Request(
                path: "/containers/\(Self.encoded(id))/logs", query: query, answerTime: timeout, silence: nil,
                isStream: true, operation: "read logs")
        ).body
    }

    /// The last lines that a container has written to its standard error, or, where it has a terminal, at all.
    func lastErrors(of id: String, hasTTY: Bool, lines: Int) async throws -> [UInt8] {
        let request = Request(
            path: "/containers/\(Self.encoded(id))/logs",
            query: [("stdout", hasTTY ? "1" : "0"), ("stderr", "1"), ("tail", String(lines))], operation: "read logs")
        let body: [UInt8]
        do {
            body = try await open(request).body.beginning(upTo: 256 << 10)
        } catch let error as TransportError {
            throw Self.translated(error, request)
        }
        var decoder = LogDecoder(hasTTY: hasTTY)
        var records = (try? decoder.decode(body)) ?? []
        if let last = decoder.finish() { records.append(last) }
        return records.flatMap(\.bytes)
    }
}
