/// The description of a metric for its readers. `MetricsFactory` itself receives only names.
package struct MetricDescription: Sendable, Hashable {
    /// The metric's name in Prometheus style: with its base unit, and with `_total` for a counter.
    package let name: String
    /// The meaning of the metric, in one sentence.
    package let help: String
    /// The upper bounds of a histogram's buckets in ascending order, in the metric's unit. `nil` selects the buckets
    /// for request durations.
    package let buckets: [Double]?

    package init(_ name: String, _ help: String, buckets: [Double]? = nil) {
        self.name = name
        self.help = help
        self.buckets = buckets
    }

    /// The buckets for request durations, in seconds.
    static let requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
}

extension MetricDescription {
    /// All metrics of the worker.
    package static let worker = [
        // The program.
        MetricDescription("prefect_worker_build_info", "Always 1; the labels identify the program."),
        MetricDescription("prefect_worker_ready", "Whether every pool can be served: 1 as long as /ready answers 200."),
        MetricDescription(
            "prefect_worker_paused", "Whether an operator has paused the worker, so that it claims no flow runs."),
        // Pools.
        MetricDescription(
            "prefect_worker_pool_ready", "Whether the pool can be polled and its runs could be started at the moment."),
        MetricDescription("prefect_worker_slots_used", "Slots of the pool's limit that flow runs hold."),
        MetricDescription("prefect_worker_slots_limit", "The pool's limit of flow runs in flight; +Inf without one."),
        MetricDescription("prefect_worker_all_slots_used", "Slots that flow runs of all pools hold together."),
        MetricDescription(
            "prefect_worker_all_slots_limit", "The limit of flow runs of all pools in flight; +Inf without one."),
        // Flow runs.
        MetricDescription(
            "prefect_worker_waiting_runs",
            "Flow runs that are due and that no worker has claimed; those with late=\"true\" for more than 15 seconds."),
        MetricDescription("prefect_worker_runs", "Flow runs in flight by stage."),
        MetricDescription("prefect_worker_run_outcomes_total", "Flow runs that the worker released, by outcome."),
        MetricDescription(
            "prefect_worker_poll_duration_seconds", "Duration of the polls that the API answered."),
        MetricDescription(
            "prefect_worker_pickup_lateness_seconds",
            "Time from a flow run's expected start to the poll that returned it; 0 for an earlier poll.",
            buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 300, 1800, 3600]),
        MetricDescription(
            "prefect_worker_submit_duration_seconds",
            "Time from the poll that returned a flow run to the start of its infrastructure.",
            buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]),
        MetricDescription(
            "prefect_worker_engine_starts_total",
            "Flow engines that were started: warm as copies, cold with an interpreter of their own, by reason."),
        MetricDescription(
            "prefect_worker_zygotes", "Processes that have imported Prefect and of which flow engines are copies."),
        // The API.
        MetricDescription(
            "prefect_worker_api_requests_total",
            "Attempts of requests to the Prefect API; the code is 'none' without a response."),
        MetricDescription(
            "prefect_worker_api_request_duration_seconds", "Duration of each attempt of a request to the Prefect API."),
        MetricDescription("prefect_worker_api_retries_total", "Retries of requests to the Prefect API."),
        MetricDescription("prefect_worker_socket_connected", "Whether a WebSocket to the Prefect API is connected."),
        MetricDescription("prefect_worker_backlog", "Events and log lines that wait for delivery to the Prefect API."),
        MetricDescription(
            "prefect_worker_backlog_lost_total", "Events and log lines dropped before delivery to the Prefect API."),
        // Infrastructure.
        MetricDescription(
            "prefect_worker_watch_lag_seconds",
            "Time since the watch of infrastructure was lost; 0 while it is watched."),
    ]
}
