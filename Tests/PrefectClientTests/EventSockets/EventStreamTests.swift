import PrefectJSON
import TestSupport
import Testing

@testable import PrefectClient

@Suite("Events sent to the API over a WebSocket")
struct EventStreamTests {
    private struct Subject: Sendable {
        /// Receives events over the socket.
        let server: ScriptedSocketServer
        /// Receives events by `POST`.
        let api: FakePrefectAPI
        let stream: EventStream
        let events: EventShipper
        let log: CapturedLog

        func add(_ names: String...) {
            for name in names { events.add(EventCreate(name: name, resource: ["prefect.resource.id": "r"])) }
        }

        var posted: [String] { api.events.compactMap { $0["event"]?.stringValue } }
    }

    private static let quick: EventStream.Timing = {
        var timing = EventStream.Timing()
        timing.settling = .milliseconds(20)
        timing.reconnecting = .quick
        return timing
    }()

    private static let accept: @Sendable (ScriptedSocketServer.Handshake) -> ScriptedSocketServer.Answer = {
        .accept(subprotocol: $0.header("Sec-WebSocket-Protocol"))
    }

    /// Runs a shipper with one server for its socket and another one for its requests. With the default `interval`, a
    /// `POST` that waits for further events is not due during a test.
    private func withSubject(
        interval: Duration = .seconds(600), timing: EventStream.Timing = Self.quick,
        configure: (inout APIClient.Configuration) -> Void = { _ in },
        answer: @escaping @Sendable (ScriptedSocketServer.Handshake) -> ScriptedSocketServer.Answer = Self.accept,
        script: @escaping ScriptedSocketServer.Script = {
            try await $0.authenticate()
            try await $0.takeAll()
        }, _ body: @Sendable (Subject) async throws -> Void
    ) async throws {
        try await withScriptedSocketServer(answer: answer, script: script) { server in
            try await withFakePrefectAPI { api in
                try await withClient(of: api.url) { client, _ in
                    try await withClient(of: server.url, configure: configure) { socketClient, _ in
                        let log = CapturedLog()
                        let stream = EventStream(api: socketClient, timing: timing)
                        let events = EventShipper(
                            api: client, stream: stream, interval: interval, logger: log.logger)
                        let subject = Subject(server: server, api: api, stream: stream, events: events, log: log)
                        try await withThrowingTaskGroup(of: Void.self) { group in
                            group.addTask { await events.run() }
                            defer { group.cancelAll() }
                            try await body(subject)
                        }
                    }
                }
            }
        }
    }

    @Test("events are sent at once and in order, one per message, after the token")
    func atOnce() async throws {
        try await withSubject(configure: { $0.webSocketToken = Secret("user:secret") }) { subject in
            subject.add("one", "two", "three")
            let socket = try await subject.server.socket(0)
            try await eventually("all events have arrived") { socket.events == ["one", "two", "three"] }
            #expect(socket.handshake.path == "/api/events/in")
            #expect(socket.handshake.header("Sec-WebSocket-Protocol") == "prefect")
            #expect(socket.received.first == #"{"type":"auth","token":"user:secret"}"#)
            try await eventually("all events are confirmed") { subject.events.backlog == 0 && socket.pings >= 2 }
            #expect(subject.posted.isEmpty)
        }
    }

    @Test("Prefect Cloud gets the key with the handshake, and only events afterwards")
    func cloud() async throws {
        let script: ScriptedSocketServer.Script = { try await $0.takeAll() }
        try await withSubject(
            configure: {
                $0.isCloud = true
                $0.authorization = Secret("Bearer key")
                $0.webSocketToken = Secret("key")
            }, script: script
        ) { subject in
            subject.add("one")
            let socket = try await subject.server.socket(0)
            try await eventually("the event has arrived") { socket.events == ["one"] }
            #expect(socket.received.count == 1)
            #expect(socket.handshake.header("Sec-WebSocket-Protocol") == nil)
            #expect(socket.handshake.header("Authorization") == "Bearer key")
        }
    }

    @Test("the socket is opened for the first event and kept for later events")
    func lazily() async throws {
        try await withSubject { subject in
            #expect(subject.server.handshakes.isEmpty)
            for name in ["one", "two", "three"] {
                subject.add(name)
                let socket = try await subject.server.socket(0)
                try await eventually("the event has arrived") { socket.events.last == name }
            }
            #expect(subject.server.handshakes.count == 1)
        }
    }

    @Test("events that a broken socket did not confirm are sent by POST, in order and with the same ids")
    func broken() async throws {
        try await withSubject(script: { socket in
            try await socket.authenticate(thenConfirming: false)
            _ = try await socket.receive()
            await socket.cut()
        }) { subject in
            subject.add("one", "two", "three")
            try await subject.api.waitUntil("all events have arrived") { $0.events.count >= 3 }
            #expect(Array(subject.posted.prefix(3)) == ["one", "two", "three"])
            let sent = try #require(subject.server.sockets.first?.received.dropFirst().first)
            let first = try JSONValue(parsing: Array(sent.utf8))
            #expect(first["event"] == "one")
            #expect(subject.api.events.first?["id"] == first["id"])
        }
    }

    @Test("a socket without confirmations does not delay events and is replaced")
    func hanging() async throws {
        var timing = Self.quick
        // Long enough for the next socket to confirm on a busy machine.
        timing.delivery = .seconds(3)
        try await withSubject(
            timing: timing,
            script: { socket in
                try await socket.authenticate(thenConfirming: socket.handshake.number > 0)
                try await socket.takeAll()
            }
        ) { subject in
            subject.add("one")
            try await subject.api.waitUntil("the event has arrived") { !$0.events.isEmpty }
            subject.add("two")
            let second = try await subject.server.socket(1)
            try await eventually("the next event arrives over the next socket") { second.events == ["two"] }
            #expect(subject.posted.first == "one")
        }
    }

    @Test("events are sent by POST while a socket is refused, and the socket is retried", arguments: [403, 404, 500])
    func refused(status: Int) async throws {
        let hasPosted = Gate()
        try await withSubject(
            interval: .milliseconds(10),
            answer: { $0.number < 2 || !hasPosted.isOpen ? .refuse(status) : Self.accept($0) }
        ) { subject in
            var number = 0
            try await eventually("an event arrives over a socket") {
                number += 1
                subject.add("event \(number)")
                if !subject.posted.isEmpty { hasPosted.open() }
                return subject.server.sockets.first?.events.isEmpty == false
            }
            #expect(subject.server.handshakes.count >= 3)
            #expect(subject.posted.first == "event 1")
            #expect(subject.log.messages().isEmpty)
        }
    }

    @Test("events are sent by POST while a server delays the handshake")
    func slowHandshake() async throws {
        try await withSubject(interval: .milliseconds(10), answer: { _ in .ignore }) { subject in
            subject.add("one")
            try await subject.api.waitUntil("the event has arrived") { !$0.events.isEmpty }
            #expect(subject.server.handshakes.count <= 1)
        }
    }

    @Test("only the event for which the server closes the socket is lost")
    func unreadable() async throws {
        var timing = Self.quick
        timing.delivery = .milliseconds(200)
        try await withSubject(
            timing: timing,
            script: { socket in
                // A real server closes the socket before the client asks for a confirmation.
                try await socket.authenticate(thenConfirming: false)
                while true {
                    if try await socket.receiveJSON(timeout: .seconds(60))["event"] == "bad" { break }
                }
                await socket.close(1011)
            }
        ) { subject in
            subject.api.onRequest { request in
                let isBad = (request.body.arrayValue ?? []).contains { $0["event"] == "bad" }
                return isBad ? .status(422, body: ["detail": "no good"]) : nil
            }
            subject.add("one", "two", "bad", "three", "four")
            try await eventually("the loss is logged") { subject.log.messages().count == 1 }
            #expect(subject.log.messages()[0].hasPrefix("1 events were refused by the API and are lost"))
            try await eventually("all other events are confirmed") { subject.events.backlog == 0 }
            subject.events.close()
            try await eventually("all other events have arrived") {
                let names = subject.posted + subject.server.sockets.flatMap(\.events)
                return Set(names).isSuperset(of: ["one", "two", "three", "four"])
            }
        }
    }

    @Test("a socket that opens again ends the pause that the API requested for POST")
    func back() async throws {
        let isPausing = Gate()
        try await withSubject(
            interval: .milliseconds(10), answer: { isPausing.isOpen ? Self.accept($0) : .refuse(503) }
        ) { subject in
            let fault = Fault.status(503, headers: [(name: "Retry-After", value: "600")])
            let script = subject.api.script(path: "/events", answer: fault)
            subject.add("one", "two", "three")
            // The backlog excludes events in flight, so it contains all three only after the answer.
            try await eventually("the API has asked for a pause") { script.uses == 1 && subject.events.backlog == 3 }
            isPausing.open()
            let socket = try await subject.server.socket(0)
            try await eventually("all events have arrived") { socket.events == ["one", "two", "three"] }
            #expect(script.uses == 1)
            #expect(subject.posted.isEmpty)
        }
    }

    @Test("at the end all events are sent and confirmed, and the socket is closed with code 1000")
    func end() async throws {
        var timing = Self.quick
        timing.lastDelivery = .seconds(30)
        try await withSubject(timing: timing) { subject in
            subject.add("one")
            let socket = try await subject.server.socket(0)
            try await eventually("the socket is open") { subject.events.isStreaming }
            subject.add("two")
            subject.events.close()
            #expect(try await socket.waitForEnd()?.code == 1000)
            #expect(socket.events == ["one", "two"])
            #expect(subject.events.backlog == 0)
        }
    }

    @Test("at the end a hanging socket leaves time to send events by POST")
    func hangingEnd() async throws {
        var timing = Self.quick
        timing.delivery = .seconds(600)
        timing.lastDelivery = .milliseconds(100)
        try await withSubject(
            timing: timing,
            script: { socket in
                try await socket.authenticate()
                try await socket.takeAll()
            }
        ) { subject in
            subject.add("one")
            let socket = try await subject.server.socket(0)
            try await eventually("the event is confirmed") { socket.events == ["one"] && subject.events.backlog == 0 }
            try await eventually("the delivery is over") { socket.pings >= 2 }
            socket.stopAnsweringPings()
            // The stream is prepared before the shipper is closed, because a closed shipper ends when no event waits.
            subject.stream.prepareToEnd()
            subject.add("two")
            subject.events.close()
            try await subject.api.waitUntil("the event has arrived") { !$0.events.isEmpty }
            #expect(subject.posted == ["two"])
        }
    }
}
