import OrderedCollections
import PrefectJSON
import PrefectWebSocket
import Synchronization
import TestSupport
import Testing

@testable import PrefectClient

@Suite("The worker channel on a socket", .timeLimit(.minutes(5)))
struct WorkerChannelTests {
    @Test("the channel connects like Prefect's worker, and becomes healthy")
    func connects() async throws {
        let script: ScriptedSocketServer.Script = { socket in
            let auth = try await socket.receiveJSON()
            #expect(auth == ["type": "auth", "token": "admin:pass"])
            try await socket.send(ChannelFrames.authSuccess)
            let hello = try await socket.receiveJSON()
            #expect(hello["payload"] == ChannelFrames.hello["payload"])
            try await socket.send(
                ChannelFrames.ready.with(["payload", "worker_id"], "01a1fcdf-7600-7ff8-b786-00000000000a"))
            try await socket.waitForEnd()
        }
        try await withScriptedSocketServer(script: script) { server in
            let record = ChannelRecord()
            try await withChannel(
                to: server.url, record: record,
                configure: { configuration in
                    configuration.authorization = Secret("Basic x")
                    configuration.webSocketToken = Secret("admin:pass")
                    configuration.customHeaders = [
                        ("X-Mine", "1"), ("user-agent", "me"), ("Host", "elsewhere"), ("Sec-WebSocket-Protocol", "no"),
                        ("Prefect-Csrf-Token", "mine"),
                    ]
                }
            ) { channel, record in
                // The channel is healthy shortly before it reports the state.
                try await eventually("the channel is healthy") { channel.isHealthy && !record.states.isEmpty }
                #expect(record.snapshots.map(\.pool.name) == ["rsch-process"])
                #expect(record.snapshots.map(\.reason) == [.initial])
                #expect(record.workerIDs == ["01a1fcdf-7600-7ff8-b786-00000000000a"])
                #expect(record.states.count == 1)
            }
            let handshake = try #require(server.handshakes.first)
            #expect(handshake.path == "/api/work_pools/a%20pool%2F%C3%A4/workers/connect")
            #expect(handshake.header("Sec-WebSocket-Protocol") == "prefect")
            #expect(handshake.header("User-Agent") == "prefect/3.8.8 (API 0.8.4)")
            #expect(handshake.header("Authorization") == nil && handshake.header("X-Mine") == "1")
            #expect(handshake.header("Prefect-Csrf-Token") == nil)
            #expect(handshake.header("Host") == "127.0.0.1:\(server.port)")
            let close = try await server.socket(0).waitForEnd()
            #expect(close?.code == 1000)
        }
    }

    @Test("the auth string takes precedence over the key as the token, and https becomes wss")
    func credentials() async throws {
        func configuration(_ environment: [String: String]) throws -> APIClient.Configuration? {
            let all = environment.merging(["HOME": "/nowhere", "PREFECT_API_URL": "http://127.0.0.1:1/api"]) { $1 }
            let settings = try PrefectSettings.load(environment: all, workingDirectory: "/nowhere", profile: nil)
            return APIClient.Configuration(settings: settings)
        }
        #expect(try configuration([:])?.webSocketToken == nil)
        #expect(try configuration(["PREFECT_API_KEY": "key"])?.webSocketToken?.reveal() == "key")
        let both = try configuration(["PREFECT_API_KEY": "key", "PREFECT_API_AUTH_STRING": "a:b"])
        #expect(both?.webSocketToken?.reveal() == "a:b")

        try await withClient(of: "https://127.0.0.1:1/api") { client, _ in
            do {
                _ = try await client.webSocket(["a b"])
                Issue.record("nothing listens there")
            } catch {
                #expect((error as? WebSocketError)?.url == "wss://127.0.0.1:1/api/a%20b")
            }
        }
    }

    @Test("heartbeats are sent at the server's interval, and snapshots are received")
    func healthy() async throws {
        let script: ScriptedSocketServer.Script = { socket in
            let clock = ContinuousClock()
            let begin = clock.now
            try await socket.greet(ChannelFrames.ready.with(["payload", "effective_heartbeat_interval_seconds"], 1))
            let beat = try await socket.receiveJSON()
            #expect(clock.now - begin > .milliseconds(700))
            #expect(beat["type"] == "worker.heartbeat.v1")
            #expect(beat["payload"]?["heartbeat_interval_seconds"] == 1)
            try await socket.send(ChannelFrames.snapshot(2, paused: true))
            try await socket.send(ChannelFrames.snapshot(2, paused: false))
            try await socket.send(ChannelFrames.snapshot(3, reason: "work_pool_deleted"))
            _ = try await socket.receive()
            try await socket.waitForEnd()
        }
        try await withScriptedSocketServer(script: script) { server in
            try await withChannel(to: server.url) { channel, record in
                try await eventually("all snapshots have arrived") { record.snapshots.count == 3 }
                #expect(record.snapshots.map(\.pool.isPaused) == [false, true, false])
                #expect(record.snapshots.map(\.reason) == [.initial, .updated, .deleted])
                try await eventually("a second heartbeat has arrived") {
                    server.sockets.first.map { $0.received.count >= 4 } ?? false
                }
                #expect(channel.isHealthy)
            }
        }
    }

    @Test("a lost channel reconnects with the same consumer id, and does not send its metadata again")
    func reconnects() async throws {
        let hellos = Mutex<[JSONValue]>([])
        let script: ScriptedSocketServer.Script = { socket in
            let hello = try await socket.greet()
            hellos.withLock { $0.append(hello["payload"] ?? .null) }
            switch hellos.withLock({ $0.count }) {
            case 1: await socket.cut()
            case 2: await socket.close(1011, "heartbeat_persistence_failed")
            case 3: await socket.close(1012)
            default: try await socket.waitForEnd()
            }
        }
        try await withScriptedSocketServer(script: script) { server in
            try await withChannel(to: server.url) { channel, record in
                try await eventually("the channel is healthy after the third reconnection") {
                    channel.isHealthy && hellos.withLock { $0.count } == 4
                }
                let reasons = record.states.compactMap { state in
                    if case .waiting(let outage) = state { outage.reason } else { nil }
                }
                #expect(reasons == [.connectionLost, .heartbeatPersistenceFailed, .connectionLost])
            }
        }
        let all = hellos.withLock { $0 }
        #expect(Set(all.map { $0["consumer_id"] }).count == 1)
        #expect(all.map { $0["worker_metadata"]?.isNull ?? true } == [false, true, true, true])
    }

    @Test("the pauses restart after the channel was healthy")
    func resets() async throws {
        let script: ScriptedSocketServer.Script = { socket in
            try await socket.greet()
            if socket.handshake.number == 12 { try await socket.waitForEnd() }
        }
        var timing = WorkerChannel.Timing.quick
        // Twelve pauses that double would take at least 40 seconds.
        timing.reconnecting.longest = .seconds(60)
        try await withScriptedSocketServer(script: script) { server in
            try await withChannel(to: server.url, timing: timing) { channel, _ in
                try await eventually("the channel is healthy") { channel.isHealthy && server.handshakes.count == 13 }
            }
        }
    }

    @Test(
        "after a lasting outage the channel does not reconnect until a retry is requested",
        arguments: ["close", "status", "frame"])
    func lasting(how: String) async throws {
        let isMended = Mutex(false)
        let answer: @Sendable (ScriptedSocketServer.Handshake) -> ScriptedSocketServer.Answer = { _ in
            how == "status" && !isMended.withLock { $0 } ? .refuse(403) : .accept(subprotocol: "prefect")
        }
        let script: ScriptedSocketServer.Script = { socket in
            if isMended.withLock({ $0 }) {
                try await socket.greet()
                try await socket.waitForEnd()
            } else if how == "close" {
                _ = try await socket.receive()
                await socket.close(1008, "authorization_failed")
            } else {
                try await socket.greet(ChannelFrames.ready.with(["payload", "initial_snapshot"], nil))
                let close = try await socket.waitForEnd()
                #expect(close?.code == 1002)
            }
        }
        try await withScriptedSocketServer(answer: answer, script: script) { server in
            try await withChannel(to: server.url) { channel, record in
                try await eventually("the channel is unavailable") {
                    if case .refused(let outage) = channel.state { outage.prospect == .lasting } else { false }
                }
                #expect(!channel.isHealthy && server.handshakes.count == 1)
                isMended.withLock { $0 = true }
                channel.retryNow()
                try await eventually("the channel is healthy") { channel.isHealthy && record.states.count >= 2 }
                // A new attempt is not reported until it succeeds.
                #expect(record.states.count == 2 && server.handshakes.count == 2)
            }
        }
    }

    @Test("an API without the endpoint is tried again, and reported only once", arguments: [404, 405])
    func noEndpoint(status: Int) async throws {
        var timing = WorkerChannel.Timing.quick
        timing.reconnecting.lasting = .milliseconds(50)
        try await withScriptedSocketServer(answer: { _ in .refuse(status) }, script: { _ in }) { server in
            try await withChannel(to: server.url, timing: timing) { channel, record in
                try await server.waitUntil("the endpoint is tried again") { $0.handshakes.count >= 3 }
                let states = record.states
                #expect(states.count == 1)
                guard case .unavailable(let outage)? = states.first else {
                    Issue.record("\(states)")
                    return
                }
                #expect(outage.prospect == .noEndpoint && outage.detail.contains("\(status)"))
            }
        }
    }

    @Test("blocked WebSockets count as a missing endpoint if the API answers")
    func noWebSockets() async throws {
        try await withScriptedSocketServer(answer: { _ in .drop }, script: { _ in }) { server in
            try await withChannel(to: server.url) { channel, record in
                try await eventually("the channel is unavailable") {
                    if case .unavailable(let outage) = channel.state { outage.prospect == .noEndpoint } else { false }
                }
                // A single failure could come from a server that is starting.
                #expect(server.handshakes.count == 2)
                guard case .waiting(let outage)? = record.states.first else {
                    Issue.record("\(record.states)")
                    return
                }
                #expect(outage.reason == .connectionLost)
            }
        }
    }

    @Test("an unreachable or failing server is tried again until the channel is healthy")
    func away() async throws {
        let script: ScriptedSocketServer.Script = { socket in
            try await socket.greet()
            try await socket.waitForEnd()
        }
        let answer: @Sendable (ScriptedSocketServer.Handshake) -> ScriptedSocketServer.Answer = {
            $0.number < 2 ? .refuse(503) : .accept(subprotocol: "prefect")
        }
        try await withScriptedSocketServer(answer: answer, script: script) { server in
            await server.stopListening()
            try await withChannel(to: server.url) { channel, record in
                try await eventually("the channel waits") {
                    if case .waiting(let outage) = channel.state { outage.reason == .connectionLost } else { false }
                }
                try await server.listen()
                try await eventually("the channel is healthy") { channel.isHealthy }
                #expect(server.handshakes.count == 3)
            }
        }
    }

    @Test("a handshake that does not finish in time is abandoned and repeated", arguments: [true, false])
    func setupDeadline(isIgnored: Bool) async throws {
        var timing = WorkerChannel.Timing.quick
        timing.setup = .seconds(1)
        let answer: @Sendable (ScriptedSocketServer.Handshake) -> ScriptedSocketServer.Answer = {
            isIgnored && $0.number == 0 ? .ignore : .accept(subprotocol: "prefect")
        }
        let script: ScriptedSocketServer.Script = { socket in
            if socket.handshake.number > 0 { try await socket.greet() }
            try await socket.waitForEnd()
        }
        try await withScriptedSocketServer(answer: answer, script: script) { server in
            try await withChannel(to: server.url, timing: timing) { channel, record in
                try await eventually("the channel is healthy") { channel.isHealthy }
                guard case .waiting(let outage)? = record.states.first else {
                    Issue.record("\(record.states)")
                    return
                }
                #expect(outage.reason == .setupTimeout)
            }
        }
    }
}
