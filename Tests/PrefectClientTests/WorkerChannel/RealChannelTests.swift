import FoundationEssentials
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@testable import PrefectClient

@Suite("The worker channel of a real server", .requires(.prefectServer), .timeLimit(.minutes(10)))
struct RealChannelTests {
    private let template = ChannelFrames.template

    @Test("changes of the pool arrive, and the channel survives the deletion of the pool")
    func life() async throws {
        let server = try PrefectServerClient.fromEnvironment()
        let name = "channel-\(UUID().uuidString.lowercased().prefix(8))"
        try await server.createPool(name: name, template: template)
        var identity = WorkerChannel.Identity(
            workerName: "channel worker", workerType: "process", heartbeatIntervalSeconds: 1, createsPool: false,
            defaultTemplate: template)
        identity.consumerID = UUIDv7.make()
        try await withChannel(to: server.url, pool: name, identity: identity, timing: WorkerChannel.Timing()) {
            channel, record in
            try await eventually("the channel is healthy") { channel.isHealthy }
            #expect(record.snapshots.map(\.reason) == [.initial])
            #expect(
                record.snapshots.first.map { JSONValue.object($0.pool.baseJobTemplate).isEquivalent(to: template) }
                    == true)

            let changed = template.with(["job_configuration", "added"], "value")
            try await server.call("PATCH", "/work_pools/\(name)", ["base_job_template": changed])
            try await eventually("the changed template arrives") {
                record.snapshots.last.map { JSONValue.object($0.pool.baseJobTemplate).isEquivalent(to: changed) }
                    ?? false
            }
            try await server.call("PATCH", "/work_pools/\(name)", ["is_paused": true])
            try await eventually("the pause arrives") { record.snapshots.last?.pool.isPaused ?? false }

            // On a busy machine a heartbeat may be late, and the worker offline for a moment.
            var workers: JSONValue = .null
            try await eventually("the worker is online") {
                workers = try await server.call("POST", "/work_pools/\(name)/workers/filter", [:])
                return workers[0]?["status"] == "ONLINE"
            }
            #expect(workers[0]?["name"] == "channel worker")
            #expect(workers[0]?["heartbeat_interval_seconds"] == 1)

            try await server.deletePool(name)
            try await eventually("the channel is not healthy") { !channel.isHealthy }
            try await server.createPool(name: name, template: template)
            channel.retryNow()
            try await eventually("the channel is healthy again") {
                channel.retryNow()
                return channel.isHealthy
            }
            #expect(record.snapshots.last?.pool.isPaused == false)
        }
        try await server.deletePool(name)
    }

    @Test("a missing queue is a lasting outage, and a missing pool is created from a valid template")
    func refusals() async throws {
        let server = try PrefectServerClient.fromEnvironment()
        let name = "channel-\(UUID().uuidString.lowercased().prefix(8))"
        try await server.createPool(name: name, template: template)
        var identity = WorkerChannel.Identity(
            workerName: "w", workerType: "process", heartbeatIntervalSeconds: 5, workQueueNames: ["missing"],
            createsPool: true, defaultTemplate: ["variables": [:]])
        try await withChannel(to: server.url, pool: name, identity: identity) { channel, _ in
            try await eventually("the channel is unavailable") {
                if case .refused(let outage) = channel.state {
                    outage.reason == .authorizationFailed
                } else {
                    false
                }
            }
        }
        try await server.deletePool(name)
        identity = WorkerChannel.Identity(
            workerName: "w", workerType: "process", heartbeatIntervalSeconds: 5, createsPool: true,
            defaultTemplate: template, handledCleanupKinds: [CleanupMessage.Kind.cancellingTimeout],
            maxCleanupConcurrency: 1)
        try await withChannel(to: server.url, pool: name, identity: identity) { channel, record in
            try await eventually("the channel is healthy") { channel.isHealthy }
            #expect(record.snapshots.last?.pool.name == name)
        }
        let pool = try await server.pool(name)
        #expect(pool["base_job_template"]?.isEquivalent(to: template) == true)
        try await server.deletePool(name)
    }
}
