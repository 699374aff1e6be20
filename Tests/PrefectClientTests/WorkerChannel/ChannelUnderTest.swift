import OrderedCollections
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import PrefectClient

/// The states, snapshots and worker ids that a channel has reported.
final class ChannelRecord: Sendable {
    private let content = Mutex<([WorkerChannel.State], [(WorkPool, WorkerChannel.SnapshotReason)], [String])>(
        ([], [], []))

    var states: [WorkerChannel.State] { content.withLock { $0.0 } }
    var snapshots: [(pool: WorkPool, reason: WorkerChannel.SnapshotReason)] { content.withLock { $0.1 } }
    var workerIDs: [String] { content.withLock { $0.2 } }

    func handlers(
        onCleanup: @escaping @Sendable (CleanupMessage) async throws -> CleanupVerdict = { _ in .done }
    ) -> WorkerChannel.Handlers {
        WorkerChannel.Handlers(
            onSnapshot: { pool, reason in self.content.withLock { $0.1.append((pool, reason)) } },
            onWorkerID: { id in self.content.withLock { $0.2.append(id) } }, onCleanup: onCleanup,
            onState: { state in self.content.withLock { $0.0.append(state) } })
    }
}

/// Runs `body` while a channel runs, then expects the cancelled channel to have stopped.
func withChannel<Result: Sendable>(
    to url: String, pool: String = "a pool/ä", identity: WorkerChannel.Identity = .recorded,
    timing: WorkerChannel.Timing = .quick, record: ChannelRecord = ChannelRecord(),
    onCleanup: @escaping @Sendable (CleanupMessage) async throws -> CleanupVerdict = { _ in .done },
    configure: (inout APIClient.Configuration) -> Void = { _ in },
    _ body: (WorkerChannel, ChannelRecord) async throws -> Result
) async throws -> Result {
    try await withClient(of: url, configure: configure) { client, _ in
        let channel = WorkerChannel(
            api: client, poolName: pool, identity: identity, handlers: record.handlers(onCleanup: onCleanup),
            timing: timing)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await channel.run() }
            let result = try await body(channel, record)
            group.cancelAll()
            try await group.waitForAll()
            #expect(channel.state == .idle && record.states.last == .idle)
            return result
        }
    }
}

extension WorkerChannel.Timing {
    /// Short pauses after temporary outages. The long pause after a lasting outage must be ended by `retryNow()`.
    static var quick: Self {
        var timing = Self()
        timing.reconnecting.shortest = .milliseconds(20)
        timing.reconnecting.longest = .milliseconds(100)
        return timing
    }
}

extension ScriptedSocket {
    /// Performs the server's part up to `worker.ready.v1`, and returns the hello.
    @discardableResult
    func greet(_ ready: JSONValue = ChannelFrames.ready) async throws -> JSONValue {
        let auth = try await receiveJSON()
        #expect(auth["type"] == "auth")
        try await send(ChannelFrames.authSuccess)
        let hello = try await receiveJSON()
        let now = JSONValue.string(Timestamp.now.apiFormat)
        try await send(ready.with(["sent_at"], now).with(["payload", "consumer_id"], hello["payload"]?["consumer_id"]))
        return hello
    }

    /// The next frame that does not renew a lease. On a slow machine there may be several renewals.
    func receiveBesideRenewals() async throws -> JSONValue {
        while true {
            let frame = try await receiveJSON()
            if frame["type"] != "cleanup.renew.v1" { return frame }
        }
    }

    /// Sends a frame with the current time as its `sent_at`.
    func sendNow(_ frame: JSONValue) async throws {
        try await send(frame.with(["sent_at"], .string(Timestamp.now.apiFormat)))
    }
}
