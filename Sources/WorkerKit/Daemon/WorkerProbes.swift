package import CoreMetrics
package import PrefectJSON
internal import Synchronization

/// The answers to an orchestrator's probes, before the daemon runs, while it runs, and during its shutdown.
package final class WorkerProbes: Sendable {
    private struct State {
        var daemon: WorkerDaemon?
        var beginning = "the worker is starting"
    }

    private let state = Mutex(State())
    private let isReady: Meter

    /// Probes of a worker that is starting; `metrics` creates the meters.
    package init(metrics: any MetricsFactory = MetricsSystem.factory) {
        isReady = Meter(label: "prefect_worker_ready", factory: metrics)
    }

    /// Sets the meters that show the current state. Callers that display or send metrics call this first.
    package func updateMeters() {
        isReady.set(reasonNotReady == nil)
        daemon?.updateMeters()
    }

    /// Sets the meters like ``updateMeters()``, and also those that cost requests to the API. Takes two seconds at most.
    package func updateAllMeters() async {
        isReady.set(reasonNotReady == nil)
        await daemon?.updateAllMeters()
    }

    /// Sets the description of the worker's activity before its daemon runs.
    package func setBeginning(_ text: String) { state.withLock { $0.beginning = text } }

    /// The daemon, once it runs.
    package var daemon: WorkerDaemon? { state.withLock { $0.daemon } }

    /// Lets the daemon answer from now on.
    package func setDaemon(_ daemon: WorkerDaemon) { state.withLock { $0.daemon = daemon } }

    /// Whether the worker's loops make progress. A worker that is still starting is alive.
    package var isAlive: Bool { daemon?.isAlive ?? true }

    /// Whether the worker takes runs, or has yet to begin.
    package var isServing: Bool { daemon?.isServing ?? true }

    /// The worker's current activity in a few words.
    package var status: String {
        let (daemon, beginning) = state.withLock { ($0.daemon, $0.beginning) }
        return daemon?.status ?? beginning
    }

    /// The worker's activity and its connections.
    package var report: JSONValue {
        let (daemon, beginning) = state.withLock { ($0.daemon, $0.beginning) }
        return daemon?.report ?? ["state": "starting", "ready": false, "reason": .string(beginning)]
    }

    /// Why the worker is not ready to run flows; `nil` when it is.
    package var reasonNotReady: String? {
        let (daemon, beginning) = state.withLock { ($0.daemon, $0.beginning) }
        guard let daemon else { return beginning }
        return daemon.reasonNotReady
    }
}
