import HTTPTransport
import PrefectClient
import PrefectJSON
import Synchronization
import TestSupport
import Testing
import WorkerKit

/// A fake API that also has the worker channel and the subscription to events.
struct LiveAPI: Sendable {
    let api: FakePrefectAPI
    private let sockets: ScriptedSocketServer
    /// The proxy in front of the API. A client that uses the proxy also reaches the WebSockets.
    let proxy: FaultProxy
    private let sequence = Sequence()

    fileprivate init(api: FakePrefectAPI, sockets: ScriptedSocketServer, proxy: FaultProxy) {
        self.api = api
        self.sockets = sockets
        self.proxy = proxy
    }

    private final class Sequence: Sendable {
        private let last = Mutex(1)

        func next() -> Int {
            last.withLock { last in
                last += 1
                return last
            }
        }
    }

    /// Waits for a WebSocket whose path has this suffix, and returns the newest one.
    private func socket(_ suffix: String) async throws -> ScriptedSocket {
        try await sockets.waitUntil("a WebSocket \(suffix) is open") { server in
            server.sockets.contains { $0.handshake.path.hasSuffix(suffix) }
        }
        return try #require(sockets.sockets.last { $0.handshake.path.hasSuffix(suffix) })
    }

    /// Sends an event of a run.
    func tell(_ name: String, run: String, pool: String = "p", queue: String = "default") async throws {
        let related: [(String, String)] = [("work-pool", pool), ("work-queue", queue)]
        let event: JSONValue = [
            "id": "018f6d3c-0000-7000-8000-000000000000", "event": .string(name),
            "resource": ["prefect.resource.id": .string("prefect.flow-run.\(run)")],
            "related": .array(
                related.map { role, name in
                    [
                        "prefect.resource.id": .string("prefect.\(role).1"), "prefect.resource.role": .string(role),
                        "prefect.resource.name": .string(name),
                    ]
                }),
        ]
        try await socket("/events/out").send(["type": "event", "event": event])
    }

    /// Sends a snapshot of the pool `p` with a change.
    func tellPool(_ change: (inout JSONValue) -> Void) async throws {
        var pool = try await Self.pool(api)
        change(&pool)
        try await tellPool(reason: "work_pool_updated", pool: pool)
    }

    /// Sends a snapshot of a pool, with the reason for it.
    func tellPool(reason: String, pool: JSONValue) async throws {
        try await socket("/workers/connect").send([
            "type": "work_pool.snapshot.v1", "id": "01a1fcdf-767e-7748-a111-982067321bab",
            "sent_at": .string(Timestamp.now.apiFormat),
            "payload": [
                "snapshot_sequence": .int(sequence.next()), "reason": .string(reason), "work_pool": pool,
            ],
        ])
    }

    /// Closes the worker channel.
    func closeChannel(_ code: Int, _ reason: String) async throws {
        await (try await socket("/workers/connect")).close(code, reason)
    }

    private static func pool(_ api: FakePrefectAPI) async throws -> JSONValue {
        try await withWorkerClient(api) { try await $0.json(APIRequest(.get, ["work_pools", "p"])) }
    }

    /// The server's part of all WebSockets.
    fileprivate static func script(_ api: FakePrefectAPI) -> ScriptedSocketServer.Script {
        { socket in
            _ = try await socket.receive()
            if socket.handshake.path.hasSuffix("/events/out") {
                // The feed is connected only after the first poll, so it always causes a second one.
                try await api.waitUntil("the pool has been polled", timeout: .seconds(60)) {
                    !$0.requests("POST", "*/get_scheduled_flow_runs").isEmpty
                }
            }
            try await socket.send(["type": "auth_success"])
            let first = try await socket.receiveJSON()
            if socket.handshake.path.hasSuffix("/workers/connect") {
                if api.pool("p") == nil {
                    guard first["payload"]?["create_pool_if_not_found"] == true else {
                        return await socket.close(1008, "authorization_failed")
                    }
                    api.addPool(name: "p")
                }
                try await socket.send(ready(first, pool: try await pool(api)))
            }
            while true { _ = try await socket.receive(timeout: .seconds(60)) }
        }
    }

    private static func ready(_ hello: JSONValue, pool: JSONValue) -> JSONValue {
        [
            "type": "worker.ready.v1", "id": "01a1fcdf-767e-7748-a111-982067321baa",
            "sent_at": .string(Timestamp.now.apiFormat),
            "payload": [
                "consumer_id": hello["payload"]?["consumer_id"] ?? .null, "worker_id": nil,
                "selected_channel_version": "work_pool_worker_channel.v1",
                "effective_heartbeat_interval_seconds": 1,
                "accepted_capabilities": ["worker_heartbeat.v1", "work_pool_snapshot.v1"],
                "rejected_capabilities": [], "effective_max_cleanup_concurrency": 0, "resolved_work_queues": [],
                "initial_snapshot": ["snapshot_sequence": 1, "reason": "initial", "work_pool": pool],
            ],
        ]
    }
}

/// Runs a worker of the pool `p` with an API that has WebSockets. The worker polls, sends heartbeats and looks for
/// cancellations once an hour. `body` begins when the WebSockets are connected and have caused a poll.
func withLiveWorker<Result: Sendable>(
    backend: FakeBackend = FakeBackend(), serve change: (inout ServedPool) -> Void = { _ in },
    _ body: (WorkerUnderTest, LiveAPI, FakeDeployment) async throws -> Result
) async throws -> Result {
    try await withPool { api, deployment in
        try await withScriptedSocketServer(
            answer: { $0.path.hasSuffix("/events/in") ? .refuse(404) : .accept(subprotocol: "prefect") },
            script: LiveAPI.script(api)
        ) { sockets in
            let proxy = try await FaultProxy.start(to: api.url)
            for path in ["*/events/out", "*/workers/connect"] {
                proxy.intercept(path: path, .divert(toPort: sockets.port))
            }
            let live = LiveAPI(api: api, sockets: sockets, proxy: proxy)
            let result = try await withWorker(
                api, backend: backend, url: proxy.url,
                serve: {
                    $0.pollInterval = .seconds(3600)
                    $0.heartbeatInterval = .seconds(3600)
                    $0.cancellationPollInterval = .seconds(3600)
                    change(&$0)
                }
            ) { subject in
                try await eventually("the WebSockets are connected and have caused a poll") {
                    guard subject.worker.connection.isLive, subject.services.feed.connection.isLive else {
                        return false
                    }
                    return proxy.requests("POST", "*/get_scheduled_flow_runs").count >= 2
                }
                return try await body(subject, live, deployment)
            }
            await proxy.stop()
            return result
        }
    }
}
