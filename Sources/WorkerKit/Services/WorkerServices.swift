package import CoreMetrics
package import Logging
package import PrefectClient
package import PrefectConcurrency
package import Tracing

/// The objects that all parts of the daemon share, such as the API, the queues of messages to it, and the shutdown.
package struct WorkerServices: Sendable {
    /// The API that the worker uses.
    package var api: APIClient
    /// Log lines for the API.
    package var logs: LogShipper
    /// Events for the API.
    package var events: EventShipper
    /// Notifications about flow runs.
    package let feed: EventFeed
    /// The worker's own log.
    package var logger: Logger
    /// The factory of the worker's meters.
    package var metrics: any MetricsFactory
    /// The tracer of the worker's spans.
    package var tracer: any Tracer
    /// The ledger of the runs in flight.
    package var ledger: RunLedger
    /// The shutdown of the worker.
    package var shutdown: ShutdownSignal
    /// Whether the worker claims flow runs.
    package var claiming: ClaimControl
    /// The time limit of the final flush, in which a worker that shuts down sends its last messages after all other
    /// work.
    package var flushTimeout: Duration
    /// For how long work on a run counts as the cause of a death of the process.
    package var workPatience: Duration
    /// Admits one run at a time, among the runs at which a process has died before.
    let suspects = SlotLimiter(limit: 1)
    /// The promptness of the worker in the last hour.
    let recent = RecentRuns()
    /// The time between two searches for runs that dead workers have claimed. Such runs have been claimed for at least
    /// half of it.
    package var takeoverInterval: Duration
    /// The maximum time in which a worker without runs in flight ends after a shutdown request.
    package var idleExitLimit: Duration
    /// The environment of the worker's process.
    package var environment: [String: String]
    /// Prefect's settings in the form that jobs receive.
    package var settingsEnvironment: ObservedValue<[(name: String, value: String)]>
    /// Removes the worker's own secrets from a text.
    package var redact: @Sendable (String) -> String

    /// The shared objects.
    package init(
        api: APIClient, logs: LogShipper, events: EventShipper, logger: Logger,
        metrics: any MetricsFactory = MetricsSystem.factory, tracer: any Tracer = InstrumentationSystem.tracer,
        ledger: RunLedger, shutdown: ShutdownSignal, claiming: ClaimControl = ClaimControl(),
        flushTimeout: Duration = .seconds(15),
        workPatience: Duration = .seconds(30), takeoverInterval: Duration = .seconds(60),
        idleExitLimit: Duration = .milliseconds(500),
        environment: [String: String],
        settingsEnvironment: ObservedValue<[(name: String, value: String)]>,
        redact: @escaping @Sendable (String) -> String
    ) {
        self.api = api
        self.logs = logs
        self.events = events
        feed = EventFeed(api: api, logger: logger, redact: redact)
        self.logger = logger
        self.metrics = metrics
        self.tracer = tracer
        self.ledger = ledger
        self.shutdown = shutdown
        self.claiming = claiming
        self.flushTimeout = flushTimeout
        self.workPatience = workPatience
        self.takeoverInterval = takeoverInterval
        self.idleExitLimit = idleExitLimit
        self.environment = environment
        self.settingsEnvironment = settingsEnvironment
        self.redact = redact
    }
}

extension WorkerServices {
    /// The same objects for one flow run: each line in the worker's log names the run.
    func forRun(_ id: String, named name: String) -> WorkerServices {
        if logger[metadataKey: "flow_run_id"] == "\(id)" { return self }
        var services = self
        services.logger[metadataKey: "flow_run_id"] = "\(id)"
        services.logger[metadataKey: "flow_run_name"] = "\(name)"
        return services
    }

    /// Performs a necessary operation for as long as it takes. Only a worker that shuts down gives up, after the time
    /// of its final flush. It then throws `CancellationError`, and the operation passes to the next worker.
    func persistently<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        try await raceOf(
            body,
            {
                await shutdown.wait(for: .draining)
                try await Task.sleep(for: flushTimeout)
                throw CancellationError()
            })
    }
}
