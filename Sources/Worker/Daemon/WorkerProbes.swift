public import CoreMetrics
public import JSON
internal import Synchronization

/// What the probes of an orchestrator are told: before the daemon runs, while it runs, and while it leaves.
public final class WorkerProbes: Sendable {
    private struct State {
        var daemon: WorkerDaemon?
        var beginning = "the worker is starting"
    }

    private let state = Mutex(State())
    private let isReady: Meter

    /// Probes of a worker that is starting; `metrics` is where what is measured goes.
    public init(metrics: any MetricsFactory = MetricsSystem.factory) {
        isReady = Meter(label: "prefect_worker_ready", factory: metrics)
    }

    /// Sets the meters of all that is a matter of how things stand: whoever shows or sends metrics calls this before.
    public func updateMeters() {
        isReady.set(reasonNotReady == nil)
        daemon?.updateMeters()
    }

    /// Says what the worker does before its daemon runs.
    public func setBeginning(_ text: String) { state.withLock { $0.beginning = text } }

    /// The daemon, once it runs.
    public var daemon: WorkerDaemon? { state.withLock { $0.daemon } }

    /// Lets the daemon answer from now on.
    public func setDaemon(_ daemon: WorkerDaemon) { state.withLock { $0.daemon = daemon } }

    /// Whether the worker's loops make progress. A worker that is still starting is alive.
    public var isAlive: Bool { daemon?.isAlive ?? true }

    /// Whether the worker takes runs, or is yet to.
    public var isServing: Bool { daemon?.isServing ?? true }

    /// What the worker does at the moment, in a few words.
    public var status: String {
        let (daemon, beginning) = state.withLock { ($0.daemon, $0.beginning) }
        return daemon?.status ?? beginning
    }

    /// What the worker is doing, and over which connections.
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
