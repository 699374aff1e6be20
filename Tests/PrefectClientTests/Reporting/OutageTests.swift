import HTTPTransport
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@Suite("Logs and events during a long outage")
struct OutageTests {
    private struct Subject: Sendable {
        let api: FakePrefectAPI
        let logs: LogShipper
        let events: EventShipper
        let log: CapturedLog
    }

    private static let bound = 200

    private func withShippers(
        backlogBytes: Int = 1 << 20, _ body: (Subject) async throws -> Void
    ) async throws {
        try await withFakePrefectAPI { api in
            try await withClient(of: api.url) { client, _ in
                let log = CapturedLog()
                let subject = Subject(
                    api: api,
                    logs: LogShipper(
                        api: client, interval: .milliseconds(10), batchBytes: 200_000, maximumRecordBytes: 100_000,
                        isEnabled: true, backlogBytes: backlogBytes, backlogItems: Self.bound,
                        logger: log.logger),
                    events: EventShipper(
                        api: client, interval: .milliseconds(10), backlogBytes: backlogBytes,
                        backlogItems: Self.bound, logger: log.logger),
                    log: log)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await subject.logs.run() }
                    group.addTask { await subject.events.run() }
                    try await body(subject)
                    subject.logs.close()
                    subject.events.close()
                }
            }
        }
    }

    private func record(_ message: String) -> LogRecord {
        LogRecord(logger: "prefect.flow_runs.worker", level: 20, message: message, flowRunID: "run")
    }

    /// The answer of an unavailable API with a very short `Retry-After`, so that an outage needs no hours.
    private static let away = Fault.status(503, headers: [(name: "Retry-After", value: "0.01")])

    @Test("the newest items are kept within the limit and arrive in order, and losses are logged and counted")
    func outage() async throws {
        try await withShippers { subject in
            let script = subject.api.script(answer: Self.away)
            let total = Self.bound * 4
            for number in 1...total {
                subject.logs.add(record("line \(number)"))
                subject.events.add(EventCreate(name: "event \(number)", resource: ["prefect.resource.id": "r"]))
                #expect(subject.logs.backlog <= Self.bound && subject.events.backlog <= Self.bound)
                if number.isMultiple(of: 50) {
                    let uses = script.uses
                    try await eventually("further attempts have failed") { script.uses > uses + 1 }
                }
            }
            try await eventually("both losses are logged") { subject.log.messages().count == 2 }
            let uses = script.uses
            try await eventually("many further attempts have failed") { script.uses > uses + 6 }
            script.end()
            try await subject.api.waitUntil("the newest items have arrived") {
                $0.logs.last?["message"]?.stringValue == "line \(total)"
                    && $0.events.last?["event"]?.stringValue == "event \(total)"
            }
            let lines = subject.api.snapshot.logMessages(of: "run")
            let events = subject.api.events.compactMap { $0["event"]?.stringValue }
            let newest = total - Self.bound + 1...total
            // A batch in flight while other items were dropped may have delivered older items.
            #expect(Array(lines.suffix(Self.bound)) == newest.map { "line \($0)" })
            #expect(Array(events.suffix(Self.bound)) == newest.map { "event \($0)" })
            try await eventually("the numbers of lost items are logged") { subject.log.messages().count == 4 }
            let notices = subject.log.messages()
            #expect(notices.prefix(2).allSatisfy { $0.hasPrefix("The oldest ") })
            #expect(notices.contains { $0.hasPrefix("\(total - lines.count) log lines were lost") })
            #expect(notices.contains { $0.hasPrefix("\(total - events.count) events were lost") })
        }
    }

    @Test("long lines and large events are limited by their bytes")
    func bytes() async throws {
        try await withShippers(backlogBytes: 1 << 20) { subject in
            let script = subject.api.script(answer: Self.away)
            let long = String(repeating: "x", count: 10 << 20)
            let payload = JSONValue.string(String(repeating: "x", count: 90_000))
            for number in 1...60 {
                subject.logs.add(record("\(number) \(long)"))
                subject.events.add(
                    EventCreate(name: "\(number)", resource: ["prefect.resource.id": "r"], payload: ["text": payload]))
                #expect(subject.logs.backlogBytes <= 1 << 20 && subject.events.backlogBytes <= 1 << 20)
            }
            script.end()
            try await subject.api.waitUntil("the newest items have arrived") {
                $0.logs.last?["message"]?.stringValue?.hasPrefix("60 ") == true
                    && $0.events.last?["event"] == "60"
            }
            #expect(subject.api.logs.allSatisfy { ($0["message"]?.stringValue?.utf8.count ?? 0) < 100_000 })
        }
    }

    @Test("only the bad items of a batch that the API refuses are lost", arguments: [400, 413, 422])
    func bad(status: Int) async throws {
        try await withShippers { subject in
            let isBad: @Sendable (JSONValue) -> Bool = {
                $0["message"] == "bad" || $0["event"] == "bad"
            }
            let gate = Gate()
            subject.api.onRequest { request in
                guard (request.body.arrayValue ?? []).contains(where: isBad) else { return nil }
                return .hold(gate, then: .status(status, body: ["detail": "no good"]))
            }
            for number in 1...100 {
                let isBad = number == 30 || number == 77
                subject.logs.add(record(isBad ? "bad" : "line \(number)"))
                subject.events.add(
                    EventCreate(name: isBad ? "bad" : "event \(number)", resource: ["prefect.resource.id": "r"]))
            }
            gate.open()
            try await subject.api.waitUntil("all good items arrive") { $0.logs.count == 98 && $0.events.count == 98 }
            let good = Set(1...100).subtracting([30, 77]).sorted()
            #expect(subject.api.snapshot.logMessages(of: "run") == good.map { "line \($0)" })
            #expect(subject.api.events.map { $0["event"]?.stringValue } == good.map { "event \($0)" })
            try await eventually("both losses are logged") { subject.log.messages().count >= 2 }
            let lost = subject.log.messages().filter { $0.contains("refused by the API and are lost") }
            #expect(lost.count == subject.log.messages().count)
            #expect(lost.allSatisfy { $0.contains("\(status): no good") })
        }
    }
}
