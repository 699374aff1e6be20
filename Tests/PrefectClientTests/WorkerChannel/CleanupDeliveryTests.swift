import OrderedCollections
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import PrefectClient

@Suite("Cleanups over a worker channel", .timeLimit(.minutes(5)))
struct CleanupDeliveryTests {
    @Test("a cleanup's lease is renewed until it is acknowledged, and a failed cleanup is released")
    func cleanup() async throws {
        let gate = Gate()
        let script: ScriptedSocketServer.Script = { socket in
            let hello = try await socket.greet(ChannelFrames.readyForCleanups())
            #expect(hello["payload"]?["handled_cleanup_kinds"] == ["cancelling_timeout_teardown.v1"])
            func lease() -> JSONValue { .string(Timestamp.now.adding(seconds: 30).apiFormat) }
            try await socket.sendNow(ChannelFrames.cleanup.with(["payload", "lease_expires_at"], lease()))
            let renewal = try await socket.receiveJSON()
            #expect(renewal["type"] == "cleanup.renew.v1")
            try await socket.sendNow(
                ChannelFrames.result.with(["payload", "request_frame_id"], renewal["id"])
                    .with(["payload", "operation"], "renew").with(["payload", "lease_expires_at"], lease()))
            gate.open()
            let ack = try await socket.receiveBesideRenewals()
            #expect(ack["type"] == "cleanup.ack.v1" && ack["payload"] == ChannelFrames.ack["payload"])
            try await socket.sendNow(ChannelFrames.result.with(["payload", "request_frame_id"], ack["id"]))
            let other = ChannelFrames.cleanup.with(["payload", "reservation_token"], "another")
            try await socket.sendNow(other.with(["payload", "lease_expires_at"], lease()))
            let release = try await socket.receiveBesideRenewals()
            #expect(release["type"] == "cleanup.release.v1" && release["payload"]?["reason"] == "handler_failed")
            try await socket.waitForEnd()
        }
        var timing = WorkerChannel.Timing.quick
        timing.cleanup.renewal = 29.9
        let handled = Mutex(0)
        let onCleanup: @Sendable (CleanupMessage) async throws -> CleanupVerdict = { message in
            let count = handled.withLock { count in
                count += 1
                return count
            }
            if count > 1 { throw CancellationError() }
            await gate.wait()
            return .done
        }
        try await withScriptedSocketServer(script: script) { server in
            try await withChannel(to: server.url, identity: .cleaning, timing: timing, onCleanup: onCleanup) { _, _ in
                try await eventually("the second cleanup was released") {
                    server.sockets.first?.received.contains { $0.contains("cleanup.release.v1") } ?? false
                }
            }
        }
    }

    @Test("a cleanup that is done while the channel is lost is acknowledged after the reconnection")
    func cleanupAcrossConnections() async throws {
        let gate = Gate()
        let hasBegun = Gate()
        let script: ScriptedSocketServer.Script = { socket in
            try await socket.greet(ChannelFrames.readyForCleanups())
            if socket.handshake.number == 0 {
                let lease = JSONValue.string(Timestamp.now.adding(seconds: 60).apiFormat)
                try await socket.sendNow(ChannelFrames.cleanup.with(["payload", "lease_expires_at"], lease))
                await hasBegun.wait()
                await socket.cut()
                gate.open()
            } else {
                let ack = try await socket.receiveJSON()
                #expect(ack["type"] == "cleanup.ack.v1")
                try await socket.waitForEnd()
            }
        }
        let onCleanup: @Sendable (CleanupMessage) async throws -> CleanupVerdict = { _ in
            hasBegun.open()
            await gate.wait()
            return .done
        }
        try await withScriptedSocketServer(script: script) { server in
            try await withChannel(to: server.url, identity: .cleaning, onCleanup: onCleanup) { _, _ in
                try await eventually("the cleanup is acknowledged") {
                    server.sockets.last?.received.contains { $0.contains("cleanup.ack.v1") } ?? false
                }
            }
        }
    }

    @Test("a handler whose lease ends is cancelled, and its cleanup is not acknowledged")
    func leaseEnds() async throws {
        let script: ScriptedSocketServer.Script = { socket in
            try await socket.greet(ChannelFrames.readyForCleanups())
            let lease = JSONValue.string(Timestamp.now.adding(seconds: 5).apiFormat)
            try await socket.sendNow(ChannelFrames.cleanup.with(["payload", "lease_expires_at"], lease))
            try await socket.waitForEnd()
        }
        let wasCancelled = Gate()
        let onCleanup: @Sendable (CleanupMessage) async throws -> CleanupVerdict = { _ in
            try? await Task.sleep(for: .seconds(60))
            if Task.isCancelled { wasCancelled.open() }
            return .done
        }
        try await withScriptedSocketServer(script: script) { server in
            try await withChannel(to: server.url, identity: .cleaning, onCleanup: onCleanup) { channel, _ in
                try await eventually("the handler was cancelled") { wasCancelled.isOpen }
                let received = server.sockets.first?.received ?? []
                #expect(channel.isHealthy && !received.contains { $0.contains("cleanup.ack.v1") })
            }
        }
    }
}
