public import CoreMetrics
public import Logging
public import PrefectAPI
public import Tracing

/// What all parts of the daemon share: the API, the queues of what is to be told, the log, the way out.
public struct WorkerServices: Sendable {
    /// The API that is served.
    public var api: APIClient
    /// Log lines for the API.
    public var logs: LogShipper
    /// Events for the API.
    public var events: EventShipper
    /// News of flow runs.
    public let feed: EventFeed
    /// The worker's own log.
    public var logger: Logger
    /// Where what is measured goes.
    public var metrics: any MetricsFactory
    /// Where the spans of what is done go.
    public var tracer: any Tracer
    /// The runs in flight, written down.
    public var ledger: RunLedger
    /// The way out.
    public var shutdown: ShutdownSignal
    /// How long the worker, on its way out, tries to say what is to be said, once nothing else is left to be done.
    public var farewell: Duration
    /// For how long a death of the process is blamed on the run that is being worked on.
    public var workPatience: Duration
    /// The turn of runs at which a process has died before.
    let suspects = SlotLimiter(limit: 1)
    /// How long a worker takes at most to end after it was asked to, when no run is in flight.
    public var idleExitLimit: Duration
    /// The environment of the worker's process.
    public var environment: [String: String]
    /// Prefect's settings as they are handed on to jobs.
    public var settingsEnvironment: Live<[(name: String, value: String)]>
    /// Takes the worker's own secrets out of a text.
    public var redact: @Sendable (String) -> String

    /// The shared parts.
    public init(
        api: APIClient, logs: LogShipper, events: EventShipper, logger: Logger,
        metrics: any MetricsFactory = MetricsSystem.factory, tracer: any Tracer = InstrumentationSystem.tracer,
        ledger: RunLedger, shutdown: ShutdownSignal, farewell: Duration = .seconds(15),
        workPatience: Duration = .seconds(30), idleExitLimit: Duration = .milliseconds(500),
        environment: [String: String],
        settingsEnvironment: Live<[(name: String, value: String)]>,
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
        self.farewell = farewell
        self.workPatience = workPatience
        self.idleExitLimit = idleExitLimit
        self.environment = environment
        self.settingsEnvironment = settingsEnvironment
        self.redact = redact
    }
}

extension WorkerServices {
    /// The same parts for one flow run: each line in the worker's log says which run it is about.
    func forRun(_ id: String, named name: String) -> WorkerServices {
        var services = self
        services.logger[metadataKey: "flow_run_id"] = "\(id)"
        services.logger[metadataKey: "flow_run_name"] = "\(name)"
        return services
    }

    /// Does something that must be done, for as long as it takes. Only a worker on its way out gives up, after its
    /// farewell, and leaves it to the next one: then a `CancellationError` is thrown.
    func persistently<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { group in
            group.addTask { try await body() }
            group.addTask {
                await shutdown.wait(for: .draining)
                try await Task.sleep(for: farewell)
                throw CancellationError()
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }
}
