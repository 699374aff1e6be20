internal import CoreMetrics
internal import JSON
internal import PrefectAPI

/// What is measured of a pool. Every label is one of few: the pool, and words of the program.
public struct PoolMetrics: Sendable {
    private let isReady: Meter
    private let slotsUsed: Meter
    private let slotsLimit: Meter
    private let channel: Meter
    private let runs: [RunStage: Meter]
    private let outcomes: [RunOutcome: Counter]
    private let pollDuration: Timer
    private let lateness: Timer
    private let submitDuration: Timer

    init(pool: String, factory: any MetricsFactory) {
        let labels = [("pool", pool)]
        func meter(_ name: String, _ others: [(String, String)] = []) -> Meter {
            Meter(label: name, dimensions: labels + others, factory: factory)
        }
        func timer(_ name: String) -> Timer { Timer(label: name, dimensions: labels, factory: factory) }
        isReady = meter("prefect_worker_pool_ready")
        slotsUsed = meter("prefect_worker_slots_used")
        slotsLimit = meter("prefect_worker_slots_limit")
        channel = meter("prefect_worker_socket_connected", [("socket", "worker_channel")])
        runs = Self.each { meter("prefect_worker_runs", [("stage", $0.rawValue)]) }
        outcomes = Self.each { outcome in
            Counter(
                label: "prefect_worker_run_outcomes_total", dimensions: labels + [("outcome", outcome.rawValue)],
                factory: factory)
        }
        pollDuration = timer("prefect_worker_poll_duration_seconds")
        lateness = timer("prefect_worker_pickup_lateness_seconds")
        submitDuration = timer("prefect_worker_submit_duration_seconds")
    }

    private static func each<Key: CaseIterable & Hashable, Value>(_ make: (Key) -> Value) -> [Key: Value] {
        Dictionary(uniqueKeysWithValues: Key.allCases.map { ($0, make($0)) })
    }

    /// A poll was answered.
    func polled(in duration: Duration) { pollDuration.record(duration) }

    /// A poll has brought a run.
    func pickedUp(dueAt due: Timestamp?) {
        if let due { lateness.record(max(.zero, .seconds(Timestamp.now.seconds(since: due)))) }
    }

    /// The infrastructure of a run was started, so long after the poll.
    func submitted(after duration: Duration) { submitDuration.record(duration) }

    /// A run is let go.
    func ended(_ outcome: RunOutcome) { outcomes[outcome]?.increment() }

    /// Takes over how things stand.
    func update(_ pool: any PoolService) {
        isReady.set(pool.state.trouble == nil)
        slotsUsed.set(pool.slots.used)
        slotsLimit.set(limit: pool.slots.limit)
        channel.set(pool.connection.isLive)
        let stages = pool.registry.all.map(\.stage)
        for (stage, meter) in runs { meter.set(stages.count { $0 == stage }) }
    }
}

extension Meter {
    /// 1 for what is so, 0 for what is not.
    func set(_ isSo: Bool) { set(isSo ? 1 : 0) }

    /// A limit; infinite where there is none.
    func set(limit: Int?) { set(limit.map(Double.init) ?? .infinity) }
}

extension Timer {
    /// Records a time, which may be as long as a run from the beginning of all times is late.
    func record(_ duration: Duration) {
        recordNanoseconds(Int64(exactly: (duration.inSeconds * 1e9).rounded()) ?? .max)
    }
}
