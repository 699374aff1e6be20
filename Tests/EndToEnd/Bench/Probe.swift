import PrefectJSON
import TestSupport
import Testing

/// Sends requests to the probes of a worker.
struct Probe: Sendable {
    /// The port.
    let port: Int

    /// The settings for probes at a free port.
    static let anyPort = ["PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1", "PREFECT_WORKER_WEBSERVER_PORT": "0"]

    /// Probes at a known port.
    init(port: Int) { self.port = port }

    /// Waits until the worker logs the address of its probes.
    init(_ worker: ChildProcess) async throws {
        let line = try await worker.waitForLine(containing: "/health")
        let address = try #require(line.split(separator: " ").first { $0.hasPrefix("http://") })
        port = try #require(address.split(separator: ":").last.flatMap { Int($0.prefix { $0 != "/" }) })
    }

    /// The status and the message of an answer, such as `200 OK`.
    func get(_ path: String) async throws -> String {
        let connection = try await RawConnection.connect(port: port)
        try await connection.sendRequest("GET", path)
        let answer = try await connection.receive(until: "}")
        await connection.close()
        let status = try #require(answer.split(separator: " ").dropFirst().first)
        let body = answer[(answer.firstIndex(of: "{") ?? answer.endIndex)...]
        return try "\(status) \(JSONValue(parsing: Array(body.utf8))["message"]?.stringValue ?? "")"
    }

    /// The worker's answer at `/status`.
    func status() async throws -> JSONValue {
        try await PrefectServerClient(url: "http://127.0.0.1:\(port)").call("GET", "/status")
    }

    /// The value of a sample at `/metrics`; `nil` without such a sample. The name and the labels are as Prometheus
    /// writes them.
    func metric(_ sample: String) async throws -> Double? {
        let answer = try await PrefectServerClient(url: "http://127.0.0.1:\(port)").send("GET", "/metrics")
        let lines = String(decoding: answer.rawBody, as: UTF8.self).split(separator: "\n")
        return lines.first { $0.hasPrefix("\(sample) ") }?.split(separator: " ").last.flatMap { Double($0) }
    }
}
