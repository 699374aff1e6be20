import JSON
import TestSupport
import Testing

/// Asks a worker that answers probes how it is.
struct Probe: Sendable {
    /// The port.
    let port: Int

    /// What lets a worker answer probes at a port that is free.
    static let anyPort = ["PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1", "PREFECT_WORKER_WEBSERVER_PORT": "0"]

    /// Waits until the worker says where it answers.
    init(_ worker: ChildProcess) async throws {
        let line = try await worker.waitForLine(containing: "/health")
        let address = try #require(line.split(separator: " ").first { $0.hasPrefix("http://") })
        port = try #require(address.split(separator: ":").last.flatMap { Int($0.prefix { $0 != "/" }) })
    }

    /// The status and the message of an answer: `200 OK`.
    func get(_ path: String) async throws -> String {
        let connection = try await RawConnection.connect(port: port)
        try await connection.sendRequest("GET", path)
        let answer = try await connection.receive(until: "}")
        await connection.close()
        let status = try #require(answer.split(separator: " ").dropFirst().first)
        let body = answer[(answer.firstIndex(of: "{") ?? answer.endIndex)...]
        return try "\(status) \(JSONValue(parsing: Array(body.utf8))["message"]?.stringValue ?? "")"
    }

    /// What the worker says at `/status`.
    func status() async throws -> JSONValue {
        try await PrefectServerClient(url: "http://127.0.0.1:\(port)").call("GET", "/status")
    }

    /// The value of a sample at `/metrics`, by its name and its labels as Prometheus writes them; `nil` without one.
    func metric(_ sample: String) async throws -> Double? {
        let answer = try await PrefectServerClient(url: "http://127.0.0.1:\(port)").send("GET", "/metrics")
        let lines = String(decoding: answer.rawBody, as: UTF8.self).split(separator: "\n")
        return lines.first { $0.hasPrefix("\(sample) ") }?.split(separator: " ").last.flatMap { Double($0) }
    }
}
