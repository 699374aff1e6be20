public import CoreMetrics
public import JSON
internal import Synchronization

/// The answers to an orchestrator's probes, before the daemon runs, while it runs, and during its shutdown.
public final class WorkerProbes: Sendable {
    private struct State {
        var daemon: WorkerDaemon?
        var beginning = "the worker is starting"
    }

    private let state = Mutex(State())
    private let isReady: Meter

    /// Probes of a worker that is starting; `metrics` creates the meters.
    public init(metrics: any MetricsFactory = MetricsSystem.factory) {
        isReady = Meter(label: "prefect_worker_ready", factory: metrics)
    }

    /// Sets the meters that show the current state. Callers that display or send metrics call this first.
    public func updateMeters() {
        isReady.set(reasonNotReady == nil)
        daemon?.updateMeters()
    }

    /// Sets the description of the worker's activity before its daemon runs.
    public func setBeginning(_ text: String) { state.withLock { $0.beginning = text } }

    /// The daemon, once it runs.
    public var daemon: WorkerDaemon? { state.withLock { $0.daemon } }

    /// Lets the daemon answer from now on.
    public func setDaemon(_ daemon: WorkerDaemon) { state.withLock { $0.daemon = daemon } }

    /// Whether the worker's loops make progress. A worker that is still starting is alive.
    public var isAlive: Bool { daemon?.isAlive ?? true }

    /// Whether the worker takes runs, or has yet to begin.
    public var isServing: Bool { daemon?.isServing ?? true }

    /// The worker's current activity in a few words.
    public var status: String {
        let (daemon, beginning) = state.withLock { ($0.daemon, $0.beginning) }
        return daemon?.status ?? beginning
    }

    /// The worker's activity and its connections.
    public var report: JSONValue {
        let (daemon, beginning) = state.withLock { ($0.daemon, $0.beginning) }
        return daemon?.report ?? ["state": "starting", "ready": false, "reason": .string(beginning)]
    }

    /// Why the worker is not ready to run flows; `nil` when it is.
    public var reasonNotReady: String? {
        let (daemon, beginning) = state.withLock { ($0.daemon, $0.beginning) }
        guard let daemon else { return beginning }
        return daemon.reasonNotReady
    }
}
