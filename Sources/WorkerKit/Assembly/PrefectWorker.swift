internal import BackendKit
package import Logging
package import PrefectClient
package import PrefectConcurrency

/// A worker for Prefect: it serves the work pools of a configuration with the backends of the configuration.
///
///     let worker = try PrefectWorker(configuration)
///     try await worker.run()
///
/// A worker runs once. `prefect-worker start` is this type with flags, signals, probes and a log.
public final class PrefectWorker: Sendable {
    package let configuration: WorkerConfiguration
    /// The settings in force.
    package let live: LiveSettings
    package let client: APIClient
    /// The state of the worker for people and machines.
    package let probes: WorkerProbes
    /// The progress of the shutdown.
    package let shutdown = ShutdownSignal()
    /// Whether the worker claims flow runs.
    let claiming = ClaimControl()
    /// Whether the end of the worker was requested while no run was in flight.
    package let endsIdle = ObservedValue(false)
    /// The state directory, while the worker holds one.
    package let stateDirectory = ObservedValue<StateDirectory?>(nil)
    /// Prefect's settings as they are passed on to jobs.
    let settingsEnvironment: ObservedValue<[(name: String, value: String)]>
    /// The pools that are served, once they are known.
    let serving = ObservedValue<Serving?>(nil)

    /// Makes a worker. Sends no request and writes no file.
    ///
    /// - Throws: ``WorkerRefusal`` if the plan has no pool or a name that the API does not accept, or if there is no
    ///   backend. `SettingsError` if the settings name no API. The error of the transport if it cannot be made.
    public convenience init(_ configuration: WorkerConfiguration) throws {
        guard !configuration.plan.pools.isEmpty else { throw WorkerRefusal("The plan names no work pool; add one") }
        guard !configuration.backends.isEmpty else { throw WorkerRefusal("There is no backend; add one") }
        try ServingPlan.checkWorkerName(configuration.plan.workerName, of: "workerName")
        for pool in configuration.plan.pools {
            try ServingPlan.checkPoolName(pool.name, of: "name")
            try ServingPlan.checkWorkerName(pool.workerName, of: "workerName of work pool '\(pool.name)'")
        }
        let live = LiveSettings(configuration.settings)
        var configuration = configuration
        configuration.makeLogHandler = { [make = configuration.makeLogHandler] label in
            RedactingLogHandler(make(label)) { live.redact($0) }
        }
        try self.init(configuration, live: live, probes: WorkerProbes())
    }

    /// Makes a worker of a configuration whose pools are checked and whose log handlers mask secrets.
    package init(_ configuration: WorkerConfiguration, live: LiveSettings, probes: WorkerProbes) throws {
        self.configuration = configuration
        self.live = live
        self.probes = probes
        client = try APIClient(settings: configuration.settings, sleep: { [shutdown] in try await shutdown.pause($0) })
        settingsEnvironment = ObservedValue(configuration.settings.environmentForJobs())
    }

    /// Serves the pools. Returns after a shutdown, when no run needs more work and the API has the last messages, or
    /// when the time for that is over. With ``WorkerConfiguration/runsOnce``, it returns after the runs of one poll.
    ///
    /// An unavailable API does not end a worker: it keeps trying. Cancelling the task ends the worker without waiting
    /// for its runs. The next worker with the same state directory recovers them.
    ///
    /// - Throws: ``WorkerRefusal`` if the worker cannot serve a pool until the user changes something. The error of a
    ///   backend that cannot be made. `CancellationError` if the task is cancelled before the pools are known.
    public func run() async throws {
        let logger = logger("prefect.worker")
        for warning in configuration.settings.warnings { logger.warning("\(warning)") }
        try await serve(logger)
    }

    /// Advances the shutdown by one step. With the first call, the worker claims no more runs and waits for those in
    /// flight. With the second, it stops those that would end with it, and reports them. Further calls have no effect.
    public func shutDown() {
        noteShutdownRequest()
        shutdown.escalate()
    }

    /// Records whether no run is in flight at the first request of a shutdown. Returns whether none is in flight now.
    @discardableResult
    package func noteShutdownRequest() -> Bool {
        let isIdle = runsInFlight == 0
        if shutdown.isServing { endsIdle.update { $0 = isIdle } }
        return isIdle
    }

    /// The worker's current activity in a few words, for people.
    public var status: String { probes.status }

    /// Why the worker is not ready to run flows, in one line; `nil` when it is.
    public var reasonNotReady: String? { probes.reasonNotReady.map(live.redact) }

    /// Whether the worker's loops make progress. An unavailable API does not change that.
    public var isAlive: Bool { probes.isAlive }

    /// How many flow runs are in flight, in all pools.
    public var runsInFlight: Int { probes.daemon?.runsInFlight ?? 0 }

    /// Whether the pools are known, so that another plan can be put in force.
    package var isServingPools: Bool { serving.value != nil }

    /// The time limit for passing on the last output.
    package var flushLimit: Duration { endsIdle.value ? .milliseconds(100) : .seconds(2) }

    package func logger(_ label: String) -> Logger {
        Logger(label: label) { configuration.makeLogHandler($0) }
    }
}
