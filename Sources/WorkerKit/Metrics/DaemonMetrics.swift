internal import BackendKit
internal import CoreMetrics
internal import PrefectClient

/// The metrics of the daemon that belong to no single pool.
struct DaemonMetrics: Sendable {
    private let isPaused: Meter
    private let slotsUsed: Meter
    private let slotsLimit: Meter
    private let eventsFromAPI: Meter
    private let eventsToAPI: Meter
    private let eventBacklog: Meter
    private let logBacklog: Meter
    private let factory: any MetricsFactory

    init(factory: any MetricsFactory) {
        self.factory = factory
        func meter(_ name: String, _ labels: [(String, String)] = []) -> Meter {
            Meter(label: name, dimensions: labels, factory: factory)
        }
        isPaused = meter("prefect_worker_paused")
        slotsUsed = meter("prefect_worker_all_slots_used")
        slotsLimit = meter("prefect_worker_all_slots_limit")
        eventsFromAPI = meter("prefect_worker_socket_connected", [("socket", "events_from_api")])
        eventsToAPI = meter("prefect_worker_socket_connected", [("socket", "events_to_api")])
        eventBacklog = meter("prefect_worker_backlog", [("kind", "events")])
        logBacklog = meter("prefect_worker_backlog", [("kind", "log_lines")])
    }

    /// Sets the meters to the current state; `slots` are those of each pool.
    func update(slots: [SlotLimiter], backends: [any Backend], _ services: WorkerServices) {
        isPaused.set(services.claiming.isPaused)
        slotsUsed.set(slots.map(\.used).reduce(0, +))
        slotsLimit.set(limit: slots.first?.whole?.limit)
        eventsFromAPI.set(services.feed.connection.isLive)
        eventsToAPI.set(services.events.isStreaming)
        eventBacklog.set(services.events.backlog)
        logBacklog.set(services.logs.backlog)
        for backend in backends {
            guard let lag = backend.watchLag else { continue }
            let labels = [("backend", backend.traits.type)]
            Meter(label: "prefect_worker_watch_lag_seconds", dimensions: labels, factory: factory).set(lag.inSeconds)
        }
    }
}
