package import PrefectJSON

/// A work pool with the settings under which this daemon serves it.
package struct ServedPool: Sendable, Hashable {
    /// The pool's name.
    package var name: String
    /// The worker's name within the pool.
    package var workerName: String
    /// The queues that are polled; empty means all.
    package var queues: [String]
    /// The maximum number of runs in flight at a time; `nil` means any number.
    package var limit: Int?
    /// Whether the worker creates a pool that does not exist.
    package var createsPool: Bool
    /// The template for a pool that the worker creates; `nil` means the backend's default.
    package var baseJobTemplate: JSONValue?
    /// How often the pool is polled.
    package var pollInterval: Duration
    /// How long before its due time the worker takes a run.
    package var prefetch: Duration
    /// How often heartbeats are sent.
    package var heartbeatInterval: Duration
    /// How often the worker looks up whether runs in flight are being cancelled.
    package var cancellationPollInterval: Duration
    /// How long a run that is stopped may take to end by itself.
    package var stopGrace: Duration
    /// The job variables that deployments and flow runs may set although they set permissions of a run on the worker's
    /// host.
    package var allowedJobVariables: Set<String>
    /// Whether runs that can continue without the worker survive its shutdown; the next worker adopts them.
    package var leavesRunsOnExit: Bool
    /// Whether the worker polls the pool once, and ends after the runs that this poll returned.
    package var runsOnce: Bool

    /// A pool to be served.
    package init(
        name: String, workerName: String, queues: [String] = [], limit: Int? = nil, createsPool: Bool = true,
        baseJobTemplate: JSONValue? = nil, pollInterval: Duration = .seconds(10), prefetch: Duration = .seconds(10),
        heartbeatInterval: Duration = .seconds(30), cancellationPollInterval: Duration = .seconds(5),
        stopGrace: Duration = .seconds(30), allowedJobVariables: Set<String> = [], leavesRunsOnExit: Bool = false,
        runsOnce: Bool = false
    ) {
        self.name = name
        self.workerName = workerName
        self.queues = queues
        self.limit = limit
        self.createsPool = createsPool
        self.baseJobTemplate = baseJobTemplate
        self.pollInterval = pollInterval
        self.prefetch = prefetch
        self.heartbeatInterval = heartbeatInterval
        self.cancellationPollInterval = cancellationPollInterval
        self.stopGrace = stopGrace
        self.allowedJobVariables = allowedJobVariables
        self.leavesRunsOnExit = leavesRunsOnExit
        self.runsOnce = runsOnce
    }
}
