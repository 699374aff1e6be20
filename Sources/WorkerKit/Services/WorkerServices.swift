package import CoreMetrics
package import Logging
package import PrefectClient
package import PrefectConcurrency
package import Tracing

/// The objects that all parts of the daemon share, such as the API, the queues of messages to it, and the shutdown.
/// Each user of them has a logger of its own.
@dynamicMemberLookup
package struct WorkerServices: Sendable {
    /// The shared objects. They are kept as one object, because the tasks of all runs in flight refer to it.
    package struct Parts: Sendable {
        /// The API that the worker uses.
        package let api: APIClient
        /// Log lines for the API.
        package let logs: LogShipper
        /// Events for the API.
        package let events: EventShipper
        /// Notifications about flow runs.
        package let feed: EventFeed
        /// The factory of the worker's meters.
        package let metrics: any MetricsFactory
        /// The tracer of the worker's spans.
        package let tracer: any Tracer
        /// The ledger of the runs in flight.
        package let ledger: RunLedger
        /// The shutdown of the worker.
        package let shutdown: ShutdownSignal
        /// Whether the worker claims flow runs.
        package let claiming: ClaimControl
        /// The time limit of the final flush, in which a worker that shuts down sends its last messages after all other
        /// work.
        package let flushTimeout: Duration
        /// For how long work on a run counts as the cause of a death of the process.
        package let workPatience: Duration
        /// Admits one run at a time, among the runs at which a process has died before.
        let suspects = SlotLimiter(limit: 1)
        /// The promptness of the worker in the last hour.
        let recent = RecentRuns()
        /// The time between two searches for runs that dead workers have claimed. Such runs have been claimed for at
        /// least half of it.
        package let takeoverInterval: Duration
        /// The maximum time in which a worker without runs in flight ends after a shutdown request.
        package let idleExitLimit: Duration
        /// The environment of the worker's process.
        package let environment: [String: String]
        /// Prefect's settings in the form that jobs receive.
        package let settingsEnvironment: ObservedValue<[(name: String, value: String)]>
        /// Removes the worker's own secrets from a text.
        package let redact: @Sendable (String) -> String
    }

    private final class Storage: Sendable {
        let parts: Parts

        init(_ parts: Parts) { self.parts = parts }
    }

    private let storage: Storage
    /// The worker's own log.
    package var logger: Logger

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
        storage = Storage(
            Parts(
                api: api, logs: logs, events: events, feed: EventFeed(api: api, logger: logger, redact: redact),
                metrics: metrics, tracer: tracer, ledger: ledger, shutdown: shutdown, claiming: claiming,
                flushTimeout: flushTimeout, workPatience: workPatience, takeoverInterval: takeoverInterval,
                idleExitLimit: idleExitLimit, environment: environment, settingsEnvironment: settingsEnvironment,
                redact: redact))
        self.logger = logger
    }

    package subscript<Value>(dynamicMember member: KeyPath<Parts, Value>) -> Value {
        storage.parts[keyPath: member]
    }
}

extension WorkerServices {
    /// The worker's own log for one flow run: each line names the run.
    func logger(ofRun id: String, named name: String) -> Logger {
        var logger = logger
        logger[metadataKey: "flow_run_id"] = "\(id)"
        logger[metadataKey: "flow_run_name"] = "\(name)"
        return logger
    }

    /// Performs a necessary operation for as long as it takes. Only a worker that shuts down gives up, after the time
    /// of its final flush. It then throws `CancellationError`, and the operation passes to the next worker.
    func persistently<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        try await raceOf(
            body,
            {
                await self.shutdown.wait(for: .draining)
                try await Task.sleep(for: self.flushTimeout)
                throw CancellationError()
            })
    }
}
