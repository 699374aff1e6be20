import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import PrefectClient

@Suite("Events received from the API over a WebSocket")
struct EventSubscriptionTests {
    private struct Subject: Sendable {
        let server: ScriptedSocketServer
        let subscription: EventSubscription
        let events: Record<ReceivedEvent>
        let states: Record<EventSubscription.State>
        let connections: Record<Void>
    }

    private static let quick: EventSubscription.Timing = {
        var timing = EventSubscription.Timing()
        timing.settling = .milliseconds(10)
        timing.reconnecting = .quick
        return timing
    }()

    private func withSubject(
        timing: EventSubscription.Timing = Self.quick, events: Record<ReceivedEvent> = Record(),
        configure: (inout APIClient.Configuration) -> Void = { _ in },
        answer: @escaping @Sendable (ScriptedSocketServer.Handshake) -> ScriptedSocketServer.Answer = {
            .accept(subprotocol: $0.header("Sec-WebSocket-Protocol"))
        },
        script: @escaping ScriptedSocketServer.Script,
        afterwards: @Sendable (Subject) async throws -> Void = { _ in },
        _ body: @Sendable (Subject) async throws -> Void
    ) async throws {
        try await withScriptedSocketServer(answer: answer, script: script) { server in
            try await withClient(of: server.url, configure: configure) { client, _ in
                let states = Record<EventSubscription.State>()
                let connections = Record<Void>()
                let subject = Subject(
                    server: server,
                    subscription: EventSubscription(
                        api: client, selection: EventSelection(pools: .ids(["p1"])), timing: timing,
                        onState: { states.add($0) }, onConnect: { connections.add(()) }),
                    events: events, states: states, connections: connections)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await subject.subscription.run { subject.events.add($0) } }
                    do {
                        try await body(subject)
                    } catch {
                        group.cancelAll()
                        throw error
                    }
                    group.cancelAll()
                    try await group.waitForAll()
                    #expect(subject.subscription.state == .idle)
                    try await afterwards(subject)
                }
            }
        }
    }

    private static func message(_ name: String = EventSelection.scheduled, run: String, pool: String = "p1")
        -> JSONValue
    {
        ["type": "event", "event": ReceivedEventTests.event(name, run: run, pool: pool)]
    }

    /// Authenticates the client and receives its filter.
    private static let open: ScriptedSocketServer.Script = { socket in
        try await socket.authenticate()
        _ = try await socket.receive()
    }

    @Test("the token and the filter are sent first, and only selected events are received, in order")
    func events() async throws {
        try await withSubject(
            configure: {
                $0.webSocketToken = Secret("key")
                $0.authorization = Secret("Bearer key")
            },
            script: { socket in
                try await Self.open(socket)
                try await socket.send(Self.message(run: "r1"))
                try await socket.send(Self.message(run: "other", pool: "p2"))
                try await socket.send(Self.message("prefect.flow-run.Running", run: "running"))
                for nonsense in ["", "no JSON", "[]", #"{"type":"event"}"#, #"{"type":"event","event":{"id":1}}"#] {
                    try await socket.send(nonsense)
                }
                try await socket.send(binary: [0, 1, 2])
                try await socket.send(Self.message(EventSelection.cancelling, run: "r2"))
                try await socket.takeAll()
            }
        ) { subject in
            try await eventually("both events have arrived") { subject.events.all.count == 2 }
            #expect(subject.events.all.map(\.flowRunID) == ["r1", "r2"])
            #expect(subject.subscription.isLive)
            let socket = try await subject.server.socket(0)
            #expect(socket.handshake.path == "/api/events/out")
            #expect(socket.handshake.header("Sec-WebSocket-Protocol") == "prefect")
            #expect(socket.handshake.header("Authorization") == "Bearer key")
            #expect(socket.received.first == #"{"type":"auth","token":"key"}"#)
            let sent = try #require(socket.received.dropFirst().first)
            let filter = try JSONValue(parsing: Array(sent.utf8))
            #expect(filter["type"] == "filter")
            #expect(filter["filter"]?["any_resource"]?["id"] == ["prefect.work-pool.p1"])
            try await eventually("the handler of connections is called") { subject.connections.all.count == 1 }
            #expect(subject.states.all == [.connecting, .live])
        }
    }

    @Test("a socket that ends, normally or not, is replaced, and connections are reported to the handler")
    func reconnecting() async throws {
        let events = Record<ReceivedEvent>()
        try await withSubject(
            events: events,
            script: { socket in
                try await Self.open(socket)
                let number = socket.handshake.number
                try await socket.send(Self.message(run: "r\(number)"))
                // A socket that ends before its ping is answered was never live.
                try await eventually("the event has arrived") { events.all.count == number + 1 }
                switch number {
                case 0: await socket.cut()
                case 1: await socket.close(1000)
                case 2: await socket.close(1012, "restart")
                default: try await socket.takeAll()
                }
            }
        ) { subject in
            try await eventually("the subscription is live again") {
                subject.events.all.last?.flowRunID == "r3" && subject.subscription.isLive
            }
            try await eventually("the handler of connections is called") { !subject.connections.all.isEmpty }
            #expect(events.all.map(\.flowRunID) == ["r0", "r1", "r2", "r3"])
            #expect(subject.states.all.count { $0 == .live } == 4)
        }
    }

    @Test("a subscription is live only after the server has read the filter")
    func notLive() async throws {
        var timing = Self.quick
        timing.opening = .seconds(1)
        try await withSubject(
            timing: timing,
            script: { socket in
                try await socket.authenticate(thenConfirming: socket.handshake.number > 0)
                try await socket.takeAll()
            }
        ) { subject in
            try await eventually("the next connection is live") { subject.subscription.isLive }
            #expect(subject.server.handshakes.count >= 2)
        }
    }

    @Test("a connection without an answer to the authentication is closed and tried again")
    func silent() async throws {
        var timing = Self.quick
        timing.opening = .milliseconds(300)
        try await withSubject(timing: timing, script: { try await $0.takeAll() }) { subject in
            try await eventually("the reason is reported") {
                if case .waiting(let reason) = subject.subscription.state {
                    reason.contains("took longer")
                } else {
                    false
                }
            }
            try await subject.server.waitUntil("the connection is tried again") { $0.handshakes.count >= 2 }
        }
    }

    @Test("an API without the socket is reported as unavailable and tried again", arguments: [403, 404, 405])
    func noEndpoint(status: Int) async throws {
        try await withSubject(
            answer: { $0.number < 2 ? .refuse(status) : .accept(subprotocol: "prefect") },
            script: { socket in
                try await Self.open(socket)
                try await socket.takeAll()
            }
        ) { subject in
            try await eventually("the subscription is live") { subject.subscription.isLive }
            #expect(
                subject.states.all.contains {
                    if case .unavailable(let reason) = $0 { reason.contains("\(status)") } else { false }
                })
        }
    }

    @Test("refused credentials are reported with the settings to check")
    func unauthorized() async throws {
        try await withSubject(
            answer: { $0.number == 1 ? .refuse(401) : .accept(subprotocol: "prefect") },
            script: { socket in
                _ = try await socket.receive()
                switch socket.handshake.number {
                case 0: await socket.close(1008, "Invalid token")
                case 2: try await socket.send(["type": "auth_failed"])
                default: break
                }
            }
        ) { subject in
            try await subject.server.waitUntil("the connection is tried four times") { $0.handshakes.count >= 4 }
            let reasons = subject.states.all.compactMap {
                if case .refused(let reason) = $0 { reason } else { nil }
            }
            #expect(reasons.count >= 3)
            let reason = try #require(reasons.first)
            #expect(reason.hasPrefix("WebSocket \(subject.server.url)".replacing("http:", with: "ws:")))
            #expect(reason.hasSuffix("Invalid token; check PREFECT_API_KEY or PREFECT_API_AUTH_STRING"))
        }
    }

    @Test("a cancelled subscription closes its socket with code 1000")
    func cancelled() async throws {
        try await withSubject(
            script: { socket in
                try await Self.open(socket)
                try await socket.takeAll()
            },
            afterwards: { subject in
                let close = try await subject.server.socket(0).waitForEnd()
                #expect(close?.code == 1000)
            }
        ) { subject in
            try await eventually("the subscription is live") { subject.subscription.isLive }
        }
    }
}
