internal import BackendKit
internal import PrefectClient
internal import PrefectConcurrency
package import PrefectJSON

extension WorkerDaemon {
    /// The worker's activity, connections and runs in flight for `/status`, without secrets. It has a limited size.
    package var report: JSONValue {
        [
            "time": .string(Timestamp.now.apiFormat),
            "state": .string(isServing ? "serving" : "\(max(services.shutdown.phase, .draining))"),
            "claiming": isServing ? (services.claiming.isPaused ? "paused" : "active") : "ended",
            "ready": .bool(reasonNotReady == nil),
            "connections": [
                "events_from_api": services.feed.connection.json,
                "events_to_api": ["live": .bool(services.events.isStreaming)],
            ],
            "waiting_for_api": ["events": .int(services.events.backlog), "log_lines": .int(services.logs.backlog)],
            "slots": Self.slots(
                used: pools.map(\.slots.used).reduce(0, +), limit: pools.first?.slots.whole?.limit),
            "pools": .array(pools.map(Self.report)),
            "runs_in_flight": runsReport,
            "last_hour": services.recent.json,
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
        let outage = pool.state.outage
        return [
            "name": .string(pool.served.name),
            "worker": .string(pool.served.workerName),
            "channel": pool.connection.json,
            "paused": pool.state.pool.map { .bool($0.isPaused) } ?? .null,
            "trouble": JSONValue(outage?.reason),
            "trouble_since": JSONValue(outage?.since.apiFormat),
            "limit": pool.served.limit.map(JSONValue.int) ?? .null,
            "slots": slots(used: pool.slots.used, limit: pool.slots.limit),
            "runs": runs,
        ]
    }
    private static func slots(used: Int, limit: Int?) -> JSONValue {
        ["used": .int(used), "limit": limit.map(JSONValue.int) ?? .null]
    }

    /// The maximum number of runs in flight that the report lists.
    package static let listedRuns = 100

    /// How many runs are in flight, and those whose stage began first.
    private var runsReport: JSONValue {
        let runs = pools.flatMap { pool in
            pool.registry.all.map { (run: $0, begin: $0.stageBegin, pool: pool.served.name) }
        }
        let oldest = runs.sorted { ($0.begin.since, $0.run.id) < ($1.begin.since, $1.run.id) }.prefix(Self.listedRuns)
        return [
            "count": .int(runs.count),
            "oldest": .array(
                oldest.map { run, begin, pool in
                    [
                        "id": .string(run.id), "name": .string(run.name.shortened), "pool": .string(pool),
                        "stage": .string(begin.stage.rawValue), "since": .string(begin.since.apiFormat),
                        "infrastructure": JSONValue(run.identifier?.rawValue.shortened),
                    ]
                }),
        ]
    }
}

extension String {
    /// The beginning of a text of any length.
    fileprivate var shortened: String {
        let limit = 200
        guard unicodeScalars.count > limit else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.prefix(limit))) + "…"
    }
}
