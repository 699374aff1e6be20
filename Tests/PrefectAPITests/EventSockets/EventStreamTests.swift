import JSON
import TestSupport
import Testing

@testable import PrefectAPI

@Suite("Events on their way to the API over a WebSocket")
struct EventStreamTests {
    private struct Subject: Sendable {
        /// Takes events over the socket.
        let server: ScriptedSocketServer
        /// Takes events by `POST`.
        let api: FakePrefectAPI
        let stream: EventStream
        let events: EventShipper
        let log: CapturedLog

        func add(_ names: String...) {
            for name in names { events.add(Event(name: name, resource: ["prefect.resource.id": "r"])) }
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

    /// Runs a shipper whose socket and whose requests go to servers of their own. Without `interval` what goes by `POST`
    /// waits for longer than a test does.
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

    @Test("they go at once, in order, each in a message of its own, after the token")
    func atOnce() async throws {
        try await withSubject(configure: { $0.webSocketToken = Secret("user:secret") }) { subject in
            subject.add("one", "two", "three")
            let socket = try await subject.server.socket(0)
            try await eventually("all are there") { socket.events == ["one", "two", "three"] }
            #expect(socket.handshake.path == "/api/events/in")
            #expect(socket.handshake.header("Sec-WebSocket-Protocol") == "prefect")
            #expect(socket.received.first == #"{"type":"auth","token":"user:secret"}"#)
            try await eventually("they are confirmed") { subject.events.backlog == 0 && socket.pings >= 2 }
            #expect(subject.posted.isEmpty)
        }
    }

    @Test("Cloud is told the key with the handshake, and nothing but events afterwards")
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
            try await eventually("it is there") { socket.events == ["one"] }
            #expect(socket.received.count == 1)
            #expect(socket.handshake.header("Sec-WebSocket-Protocol") == nil)
            #expect(socket.handshake.header("Authorization") == "Bearer key")
        }
    }

    @Test("the socket is opened for the first event and kept for later ones")
    func lazily() async throws {
        try await withSubject { subject in
            #expect(subject.server.handshakes.isEmpty)
            for name in ["one", "two", "three"] {
                subject.add(name)
                let socket = try await subject.server.socket(0)
                try await eventually("it is there") { socket.events.last == name }
            }
            #expect(subject.server.handshakes.count == 1)
        }
    }

    @Test("what was sent and not confirmed when the socket broke is brought by POST, in order and with the same ids")
    func broken() async throws {
        try await withSubject(script: { socket in
            try await socket.authenticate(thenConfirming: false)
            _ = try await socket.receive()
            await socket.cut()
        }) { subject in
            subject.add("one", "two", "three")
            try await subject.api.waitUntil("all are there") { $0.events.count >= 3 }
            #expect(Array(subject.posted.prefix(3)) == ["one", "two", "three"])
            let sent = try #require(subject.server.sockets.first?.received.dropFirst().first)
            let first = try JSONValue(parsing: Array(sent.utf8))
            #expect(first["event"] == "one")
            #expect(subject.api.events.first?["id"] == first["id"])
        }
    }

    @Test("a socket on which nothing is confirmed holds nothing up, and is replaced")
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
            try await subject.api.waitUntil("it is there") { !$0.events.isEmpty }
            subject.add("two")
            let second = try await subject.server.socket(1)
            try await eventually("the next one goes over the next socket") { second.events == ["two"] }
            #expect(subject.posted.first == "one")
        }
    }

    @Test("where there is no socket events go by POST, and the socket is tried again", arguments: [403, 404, 500])
    func refused(status: Int) async throws {
        let hasPosted = Gate()
        try await withSubject(
            interval: .milliseconds(10),
            answer: { $0.number < 2 || !hasPosted.isOpen ? .refuse(status) : Self.accept($0) }
        ) { subject in
            var number = 0
            try await eventually("an event goes over a socket") {
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

    @Test("while a server takes its time with the handshake events go by POST")
    func slowHandshake() async throws {
        try await withSubject(interval: .milliseconds(10), answer: { _ in .ignore }) { subject in
            subject.add("one")
            try await subject.api.waitUntil("it is there") { !$0.events.isEmpty }
            #expect(subject.server.handshakes.count <= 1)
        }
    }

    @Test("of events over one of which the server closes the socket only that one is lost")
    func unreadable() async throws {
        var timing = Self.quick
        timing.delivery = .milliseconds(200)
        try await withSubject(
            timing: timing,
            script: { socket in
                // A server closes before it is asked to confirm.
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
            try await eventually("it is said") { subject.log.messages().count == 1 }
            #expect(subject.log.messages()[0].hasPrefix("1 events were refused by the API and are lost"))
            try await eventually("all others are confirmed") { subject.events.backlog == 0 }
            subject.events.close()
            try await eventually("all others are there") {
                let names = subject.posted + subject.server.sockets.flatMap(\.events)
                return Set(names).isSuperset(of: ["one", "two", "three", "four"])
            }
        }
    }

    @Test("a socket that is there again ends the pause that an API without an answer to requests has asked for")
    func back() async throws {
        let isPausing = Gate()
        try await withSubject(
            interval: .milliseconds(10), answer: { isPausing.isOpen ? Self.accept($0) : .refuse(503) }
        ) { subject in
            let fault = Fault.status(503, headers: [(name: "Retry-After", value: "600")])
            let script = subject.api.script(path: "/events", answer: fault)
            subject.add("one", "two", "three")
            // Events on their way are not counted, so that all three wait only when the answer has come.
            try await eventually("the API has asked for a pause") { script.uses == 1 && subject.events.backlog == 3 }
            isPausing.open()
            let socket = try await subject.server.socket(0)
            try await eventually("all are there") { socket.events == ["one", "two", "three"] }
            #expect(script.uses == 1)
            #expect(subject.posted.isEmpty)
        }
    }

    @Test("at the end everything is sent and confirmed, and the socket closed in order")
    func end() async throws {
        var timing = Self.quick
        timing.lastDelivery = .seconds(30)
        try await withSubject(timing: timing) { subject in
            subject.add("one")
            let socket = try await subject.server.socket(0)
            try await eventually("it is open") { subject.events.isStreaming }
            subject.add("two")
            subject.events.close()
            #expect(try await socket.waitForEnd()?.code == 1000)
            #expect(socket.events == ["one", "two"])
            #expect(subject.events.backlog == 0)
        }
    }

    @Test("at the end a socket that hangs leaves time for POST")
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
            try await eventually("it is confirmed") { socket.events == ["one"] && subject.events.backlog == 0 }
            try await eventually("the delivery is over") { socket.pings >= 2 }
            socket.stopAnsweringPings()
            // The stream alone at first: a shipper that is closed ends when nothing waits.
            subject.stream.prepareToEnd()
            subject.add("two")
            subject.events.close()
            try await subject.api.waitUntil("it is there") { !$0.events.isEmpty }
            #expect(subject.posted == ["two"])
        }
    }
}
