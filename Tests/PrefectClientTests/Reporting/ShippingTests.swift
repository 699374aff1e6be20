import HTTPTransport
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@Suite("Logs and events sent to the API")
struct ShippingTests {
    private func record(_ message: String) -> LogRecord {
        LogRecord(logger: "prefect.flow_runs.worker", level: 20, message: message, flowRunID: "run")
    }

    private func withLogs<Result: Sendable>(
        maximumRecordBytes: Int = 1_000_000, isEnabled: Bool = true,
        _ body: (FakePrefectAPI, LogShipper, CapturedLog) async throws -> Result
    ) async throws -> Result {
        try await withFakePrefectAPI { api in
            try await withClient(of: api.url) { client, _ in
                let log = CapturedLog()
                let logs = LogShipper(
                    api: client, interval: .milliseconds(30), batchBytes: 4_000_000,
                    maximumRecordBytes: maximumRecordBytes, isEnabled: isEnabled, logger: log.logger)
                async let work: Void = logs.run()
                let result: Result
                do {
                    result = try await body(api, logs, log)
                } catch {
                    logs.close()
                    throw error
                }
                logs.close()
                await work
                return result
            }
        }
    }

    @Test("lines arrive in the API's format, several per request")
    func lines() async throws {
        try await withLogs { api, logs, _ in
            for number in 1...20 { logs.add(record("line \(number)")) }
            try await api.waitUntil("all lines have arrived") { $0.logs.count == 20 }
            #expect(api.requests("POST", "/logs/").count <= 3)
            #expect(api.snapshot.logMessages(of: "run") == (1...20).map { "line \($0)" })
            let first = try #require(api.logs.first)
            #expect(first["name"] == "prefect.flow_runs.worker")
            #expect(first["level"] == 20)
            #expect(first["task_run_id"] == .null)
            #expect(first["worker_id"] == nil)
            #expect(Timestamp(first["timestamp"]?.stringValue ?? "") != nil)
        }
    }

    @Test("a line that is too long is truncated at any byte and marked as truncated")
    func truncated() async throws {
        try await withLogs(maximumRecordBytes: 1000) { api, logs, _ in
            logs.add(record(String(repeating: "日", count: 5000)))
            logs.add(record("short"))
            try await api.waitUntil("both lines have arrived") { $0.logs.count == 2 }
            let message = try #require(api.logs[0]["message"]?.stringValue)
            #expect(message.hasSuffix("... [truncated]"))
            #expect(message.utf8.count <= 620)
            #expect(api.logs[1]["message"] == "short")
        }
    }

    @Test("NUL characters in a line are replaced, because the API would refuse the line for ever")
    func noNUL() async throws {
        try await withLogs { api, logs, _ in
            logs.add(record("a\0b"))
            try await api.waitUntil("the line has arrived") { $0.logs.first?["message"] == "a\u{FFFD}b" }
        }
    }

    @Test("an outage loses no line and keeps the order", arguments: [500, 401, 429, 503])
    func outage(status: Int) async throws {
        try await withLogs { api, logs, log in
            let script = api.script(path: "/logs/", times: 1, answer: .status(status))
            for number in 1...3 { logs.add(record("line \(number)")) }
            try await eventually("a delivery was attempted") { script.uses == 1 }
            logs.add(record("line 4"))
            logs.close()
            try await api.waitUntil("all lines have arrived") { $0.logs.count == 4 }
            #expect(api.snapshot.logMessages(of: "run") == (1...4).map { "line \($0)" })
            #expect(log.messages().isEmpty)
        }
    }

    @Test("a batch that the API refuses permanently is dropped, and the loss is logged")
    func refused() async throws {
        try await withLogs { api, logs, log in
            api.script(path: "/logs/", times: 1, answer: .status(422, body: ["detail": "bad"]))
            logs.add(record("lost"))
            try await eventually("the loss is logged") { log.messages().count == 1 }
            #expect(
                log.messages()[0] == "1 log lines were refused by the API and are lost: POST /logs/: the API "
                    + "does not accept these values (422: bad)")
            logs.add(record("next"))
            try await api.waitUntil("the next line arrives") { $0.logs.count == 1 }
        }
    }

    @Test("no line is sent when logging to the API is disabled")
    func disabled() async throws {
        try await withLogs(isEnabled: false) { _, logs, _ in
            logs.add(record("x"))
            #expect(logs.backlog == 0)
        }
    }

    @Test("events arrive once and in order, with the ids of the events that they follow")
    func events() async throws {
        try await withFakePrefectAPI { api in
            try await withClient(of: api.url) { client, _ in
                let events = EventShipper(api: client, interval: .milliseconds(20), logger: CapturedLog().logger)
                let first = EventCreate(name: "one", resource: ["prefect.resource.id": "r"])
                let second = EventCreate(name: "two", resource: ["prefect.resource.id": "r"], following: first)
                let old = EventCreate(
                    name: "old", resource: [:], occurred: Timestamp.now.adding(seconds: -3600))
                let late = EventCreate(name: "late", resource: [:], following: old)
                for event in [first, second, late] { events.add(event) }
                events.close()
                await events.run()
                #expect(api.requests("POST", "/events").count == 1)
                #expect(api.events.map { $0["event"]?.stringValue } == ["one", "two", "late"])
                #expect(api.events[1]["follows"]?.stringValue == first.id.text)
                #expect(api.events[2]["follows"] == .null)
                #expect(first.id != second.id)
                #expect(first.id.text.utf8.count == 36)
                #expect(Array(first.id.text)[14] == "7")
            }
        }
    }

    @Test("an event has at most as many related resources as the API accepts")
    func tooManyRelated() {
        let related = (0..<150).map { number -> JSONValue in ["prefect.resource.id": .int(number)] }
        let event = EventCreate(name: "x", resource: [:], related: related)
        #expect(event.related?.count == 100)
    }
}
