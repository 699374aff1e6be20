import OrderedCollections
import PrefectJSON
import Synchronization
import TransportPeers

/// A Prefect API on a real socket that plays the answers of one vector and keeps the requests.
final class VectorStub: Sendable {
    private struct State {
        var sent: [SentRequest] = []
        var server: ScriptedServer?
    }

    private let state = Mutex(State())

    init(_ vector: Vector) throws {
        let server = try ScriptedServer { [weak self] connection in
            while let request = connection.readRequest() {
                guard let self, self.answer(request, of: vector, on: connection) else { return }
            }
        }
        state.withLock { $0.server = server }
    }

    var url: String { state.withLock { $0.server?.url ?? "" } + "/api" }
    var sent: [SentRequest] { state.withLock { $0.sent } }

    func stop() { state.withLock { $0.server }?.stop() }

    private func answer(_ request: ReceivedRequest, of vector: Vector, on connection: Connection) -> Bool {
        let target = request.target.hasPrefix("/api/") ? String(request.target.dropFirst(4)) : request.target
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var headers: [String: String] = [:]
        for line in request.lines {
            let name = String(line.prefix { $0 != ":" })
            headers[name.lowercased()] = request.value(name)
        }
        let text = String(decoding: request.body, as: UTF8.self)
        var body: JSONValue?
        if !request.body.isEmpty { body = (try? JSONValue(parsing: request.body)) ?? .string(text) }
        let sent = SentRequest(
            method: request.method, path: parts[0], query: parts.count > 1 ? parts[1] : "", headers: headers,
            body: body)
        let index = self.sent.count
        // Unless the vector has a token, the server needs none.
        if sent.path == "/csrf-token",
            !vector.requests.indices.contains(index) || vector.requests[index]["path"] != "/csrf-token"
        {
            return connection.answer("422 Refused", body: #"{"detail":"CSRF protection is disabled."}"#)
        }
        state.withLock { $0.sent.append(sent) }
        guard vector.responses.indices.contains(index) else {
            return connection.answer("599 Not recorded", body: #"{"detail":"not recorded"}"#)
        }
        let response = vector.responses[index]
        let status = response["status"]?.intValue ?? 500
        let answer = response["text"]?.stringValue ?? response["body"]?.serialized() ?? ""
        let lines = (response["headers"]?.objectValue ?? [:]).map { "\($0.key): \($0.value.stringValue ?? "")" }
        let type = response["text"] == nil ? "application/json" : "text/plain"
        return connection.answer("\(status) Recorded", headers: lines + ["Content-Type: \(type)"], body: answer)
    }
}
