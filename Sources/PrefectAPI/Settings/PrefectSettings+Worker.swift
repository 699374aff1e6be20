extension PrefectSettings {
    /// Prefect's settings for workers.
    public struct Worker: Sendable, Hashable {
        /// `PREFECT_WORKER_HEARTBEAT_SECONDS`: the interval between heartbeats.
        public let heartbeatSeconds: Double
        /// `PREFECT_WORKER_QUERY_SECONDS`: the interval between polls for runs.
        public let querySeconds: Double
        /// `PREFECT_WORKER_PREFETCH_SECONDS`: the time before their due time at which runs are fetched.
        public let prefetchSeconds: Double
        /// `PREFECT_WORKER_WEBSERVER_HOST`: the address of the health server.
        public let webserverHost: String
        /// `PREFECT_WORKER_WEBSERVER_PORT`: the port of the health server; 0 selects any free one.
        public let webserverPort: Int
        /// `PREFECT_WORKER_DEBUG_MODE`: whether the worker logs everything.
        public let debugMode: Bool
        /// `PREFECT_WORKER_ENABLE_CANCELLATION`: whether the worker itself looks for cancelled runs.
        public let enableCancellation: Bool
        /// `PREFECT_WORKER_CANCELLATION_POLL_SECONDS`: the interval between looks for cancelled runs.
        public let cancellationPollSeconds: Double
    }

    /// Prefect's settings for the runner of flow runs.
    public struct Runner: Sendable, Hashable {
        /// `PREFECT_RUNNER_CRASH_ON_CANCELLATION_FAILURE`.
        public let crashOnCancellationFailure: Bool
        /// `PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES`.
        public let autoInstallDependencies: Bool
    }

    /// `PREFECT_WORKER_*`.
    public var worker: Worker {
        Worker(
            heartbeatSeconds: double("worker.heartbeat_seconds"),
            querySeconds: double("worker.query_seconds"),
            prefetchSeconds: double("worker.prefetch_seconds"),
            webserverHost: string("worker.webserver.host") ?? "",
            webserverPort: int("worker.webserver.port"),
            debugMode: bool("worker.debug_mode"),
            enableCancellation: bool("worker.enable_cancellation"),
            cancellationPollSeconds: double("worker.cancellation_poll_seconds"))
    }

    /// `PREFECT_RUNNER_*`.
    public var runner: Runner {
        Runner(
            crashOnCancellationFailure: bool("runner.crash_on_cancellation_failure"),
            autoInstallDependencies: bool("runner.auto_install_dependencies"))
    }
}
