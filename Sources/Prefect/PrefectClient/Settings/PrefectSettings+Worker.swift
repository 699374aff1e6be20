extension PrefectSettings {
    /// Prefect's settings for workers.
    package struct Worker: Sendable, Hashable {
        /// `PREFECT_WORKER_HEARTBEAT_SECONDS`: the interval between heartbeats.
        package let heartbeatSeconds: Double
        /// `PREFECT_WORKER_QUERY_SECONDS`: the interval between polls for runs.
        package let querySeconds: Double
        /// `PREFECT_WORKER_PREFETCH_SECONDS`: the time before their due time at which runs are fetched.
        package let prefetchSeconds: Double
        /// `PREFECT_WORKER_WEBSERVER_HOST`: the address of the health server.
        package let webserverHost: String
        /// `PREFECT_WORKER_WEBSERVER_PORT`: the port of the health server; 0 selects any free one.
        package let webserverPort: Int
        /// `PREFECT_WORKER_DEBUG_MODE`: whether the worker logs everything.
        package let debugMode: Bool
        /// `PREFECT_WORKER_CANCELLATION_POLL_SECONDS`: the interval between looks for cancelled runs.
        package let cancellationPollSeconds: Double
    }

    /// `PREFECT_WORKER_*`.
    package var worker: Worker {
        Worker(
            heartbeatSeconds: self[Key.heartbeatSeconds],
            querySeconds: self[Key.querySeconds],
            prefetchSeconds: self[Key.prefetchSeconds],
            webserverHost: self[Key.webserverHost] ?? "",
            webserverPort: self[Key.webserverPort],
            debugMode: self[Key.workerDebugMode],
            cancellationPollSeconds: self[Key.cancellationPollSeconds])
    }
}
