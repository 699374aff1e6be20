internal import CoreMetrics
internal import PrefectAPI

/// What is measured of the daemon beside its pools.
struct DaemonMetrics: Sendable {
    private let slotsUsed: Meter
    private let slotsLimit: Meter
    private let eventsFromAPI: Meter
    private let eventsToAPI: Meter
    private let eventBacklog: Meter
    private let logBacklog: Meter
    /// By the type of the backend, as far as it watches anything.
    private let watchLag: [String: Meter]

    init(backends: [any InfrastructureBackend], factory: any MetricsFactory) {
        func meter(_ name: String, _ labels: [(String, String)] = []) -> Meter {
            Meter(label: name, dimensions: labels, factory: factory)
        }
        slotsUsed = meter("prefect_worker_all_slots_used")
        slotsLimit = meter("prefect_worker_all_slots_limit")
        eventsFromAPI = meter("prefect_worker_socket_connected", [("socket", "events_from_api")])
        eventsToAPI = meter("prefect_worker_socket_connected", [("socket", "events_to_api")])
        eventBacklog = meter("prefect_worker_backlog", [("kind", "events")])
        logBacklog = meter("prefect_worker_backlog", [("kind", "log_lines")])
        let types = backends.filter { $0.watchLag != nil }.map { type(of: $0).workerType }
        watchLag = Dictionary(
            types.map { ($0, meter("prefect_worker_watch_lag_seconds", [("backend", $0)])) }, uniquingKeysWith: { $1 })
    }

    /// Takes over how things stand.
    func update(pools: [any PoolService], backends: [any InfrastructureBackend], _ services: WorkerServices) {
        slotsUsed.set(pools.map(\.slots.used).reduce(0, +))
        slotsLimit.set(limit: pools.first?.slots.whole?.limit)
        eventsFromAPI.set(services.feed.connection.isLive)
        eventsToAPI.set(services.events.isStreaming)
        eventBacklog.set(services.events.backlog)
        logBacklog.set(services.logs.backlog)
        for backend in backends {
            guard let lag = backend.watchLag else { continue }
            watchLag[type(of: backend).workerType]?.set(lag.inSeconds)
        }
    }
}
