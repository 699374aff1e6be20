internal import CoreMetrics
internal import PrefectClient
internal import PrefectJSON

/// The metrics of a pool. Every label has few values: the pool, and fixed words of the program.
package struct PoolMetrics: Sendable {
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

    /// Records that a poll was answered.
    func polled(in duration: Duration) { pollDuration.record(duration) }

    /// Records how late a poll returned a run.
    func pickedUp(dueAt due: Timestamp?) {
        if let due { lateness.record(max(.zero, .seconds(Timestamp.now.seconds(since: due)))) }
    }

    /// Records the time from the poll until a run's infrastructure was started.
    func submitted(after duration: Duration) { submitDuration.record(duration) }

    /// Counts the outcome of a run when the worker releases the run.
    func ended(_ outcome: RunOutcome) { outcomes[outcome]?.increment() }

    /// Sets the meters to the current state.
    ///
    /// - Parameters:
    ///   - isReady: Whether runs of the pool can be started.
    ///   - slots: The slots of the pool's limit.
    ///   - connection: The connection of the pool's worker channel.
    ///   - stages: The stages of the runs in flight.
    func update(isReady: Bool, slots: SlotLimiter, connection: Connection, stages: [RunStage]) {
        self.isReady.set(isReady)
        slotsUsed.set(slots.used)
        slotsLimit.set(limit: slots.limit)
        channel.set(connection.isLive)
        for (stage, meter) in runs { meter.set(stages.count { $0 == stage }) }
    }
}

extension Meter {
    /// Sets 1 for true, 0 for false.
    func set(_ isSo: Bool) { set(isSo ? 1 : 0) }

    /// Sets a limit; infinity when there is none.
    func set(limit: Int?) { set(limit.map(Double.init) ?? .infinity) }
}

extension Timer {
    /// Records a duration of any length: a run with a due time in the distant past is extremely late.
    func record(_ duration: Duration) {
        recordNanoseconds(Int64(exactly: (duration.inSeconds * 1e9).rounded()) ?? .max)
    }
}
