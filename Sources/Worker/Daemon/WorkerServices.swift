public import Logging
public import PrefectAPI

/// What all parts of the daemon share: the API, the queues of what is to be told, the log, the way out.
public struct WorkerServices: Sendable {
    /// The API that is served.
    public var api: APIClient
    /// Log lines for the API.
    public var logs: LogShipper
    /// Events for the API.
    public var events: EventShipper
    /// The worker's own log.
    public var logger: Logger
    /// The way out.
    public var shutdown: ShutdownSignal
    /// The environment of the worker's process.
    public var environment: [String: String]
    /// Prefect's settings as they are handed on to jobs.
    public var settingsEnvironment: [(name: String, value: String)]
    /// Takes the worker's own secrets out of a text.
    public var redact: @Sendable (String) -> String

    /// The shared parts.
    public init(
        api: APIClient, logs: LogShipper, events: EventShipper, logger: Logger, shutdown: ShutdownSignal,
        environment: [String: String], settingsEnvironment: [(name: String, value: String)],
        redact: @escaping @Sendable (String) -> String
    ) {
        self.api = api
        self.logs = logs
        self.events = events
        self.logger = logger
        self.shutdown = shutdown
        self.environment = environment
        self.settingsEnvironment = settingsEnvironment
        self.redact = redact
    }
}
