public import JSON

/// A work pool as this daemon serves it: which, under what name, how many runs at a time.
public struct ServedPool: Sendable, Hashable {
    /// The pool's name.
    public var name: String
    /// The worker's name within the pool.
    public var workerName: String
    /// The queues that are polled; empty means all.
    public var queues: [String]
    /// How many runs are in flight at a time at most; `nil` means any number.
    public var limit: Int?
    /// Whether a pool that does not exist is created.
    public var createsPool: Bool
    /// The template for a pool that is created; `nil` means the backend's default.
    public var baseJobTemplate: JSONValue?
    /// How often the pool is polled.
    public var pollInterval: Duration
    /// How long before it is due a run is taken.
    public var prefetch: Duration
    /// How often heartbeats are sent.
    public var heartbeatInterval: Duration
    /// How often runs in flight are looked up for a cancellation.
    public var cancellationPollInterval: Duration
    /// How long a run that is stopped may take to end by itself.
    public var stopGrace: Duration
    /// The job variables that deployments and flow runs may set although they say what a run may do on the worker's host.
    public var allowedJobVariables: Set<String>
    /// Whether runs that could go on without the worker are left to the next one when it ends.
    public var leavesRunsOnExit: Bool
    /// Whether the pool is polled once and the worker ends with the runs that this brought.
    public var runsOnce: Bool

    /// A pool to be served.
    public init(
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
