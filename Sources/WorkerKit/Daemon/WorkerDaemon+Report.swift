internal import BackendKit
internal import PrefectClient
internal import PrefectConcurrency
package import PrefectJSON

extension WorkerDaemon {
    /// The worker's activity and connections for `/status`, without the ids and names of runs and without secrets.
    package var report: JSONValue {
        [
            "state": .string(isServing ? "serving" : "\(max(services.shutdown.phase, .draining))"),
            "claiming": isServing ? (services.claiming.isPaused ? "paused" : "active") : "ended",
            "ready": .bool(reasonNotReady == nil),
            "connections": [
                "events_from_api": services.feed.connection.current.json,
                "events_to_api": ["live": .bool(services.events.isStreaming)],
            ],
            "waiting_for_api": ["events": .int(services.events.backlog), "log_lines": .int(services.logs.backlog)],
            "pools": .array(pools.map(Self.report)),
            "backends": .array(backends.value.compactMap(Self.report)),
        ]
    }

    private static func report(_ backend: any Backend) -> JSONValue? {
        guard var activity = backend.activity else { return nil }
        activity["type"] = .string(backend.traits.type)
        return activity
    }

    private static func report(_ pool: any PoolService) -> JSONValue {
        let stages = pool.registry.all.map(\.stage)
        var runs: JSONValue = [:]
        for stage in RunStage.allCases { runs[stage.rawValue] = .int(stages.count { $0 == stage }) }
        return [
            "name": .string(pool.served.name),
            "worker": .string(pool.served.workerName),
            "channel": pool.connection.current.json,
            "paused": pool.state.pool.map { .bool($0.isPaused) } ?? .null,
            "trouble": JSONValue(pool.state.unavailableReason),
            "limit": pool.served.limit.map(JSONValue.int) ?? .null,
            "runs": runs,
        ]
    }
}
