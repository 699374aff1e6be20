public import BackendKit
internal import FoundationEssentials
internal import Glibc
public import Logging
public import PrefectClient
public import PrefectJSON

/// Everything that a ``PrefectWorker`` needs to serve work pools. All properties except the first three have defaults.
public struct WorkerConfiguration: Sendable {
    /// Prefect's settings: the API, the credentials, and the intervals of polls and heartbeats.
    public var settings: PrefectSettings
    /// The work pools to serve, and the limits of concurrent flow runs.
    public var plan: ServingPlan
    /// The types of the backends. A pool is served by the backend of its type. A pool of any other type is refused.
    public var backends: [any Backend.Type]

    /// The environment that backends read and that runs of an inheriting backend receive. The default is the
    /// environment of this process without the variables that a service manager gives to this process alone.
    public var environment: [String: String] = Self.inheritedEnvironment
    /// The path of the directory for the record of runs in flight, as `--state-dir` gives it. With `nil`,
    /// `STATE_DIRECTORY` of ``environment`` names it, or it is a directory of the plan below `PREFECT_HOME`.
    public var stateDirectory: String?
    /// Whether the worker creates a pool that does not exist.
    public var createsPools = true
    /// The template for a pool that the worker creates; `nil` for the default of the pool's backend.
    public var baseJobTemplate: JSONValue?
    /// The Python that runs flows in a process pool: a path or a name, or `none` if every job has a command of its own.
    /// With `nil`, it is `python` or `python3` of `PATH`.
    public var python: String?
    /// Which runs of process pools start as copies of a process that has already imported the flow engine.
    public var warmEngines = WarmEngines.auto
    /// Whether job variables and blocks may name programs and files of this host to authenticate with infrastructure.
    public var allowsHostCredentials = false
    /// How many seconds before its due time a run is claimed; `nil` for `PREFECT_WORKER_PREFETCH_SECONDS`.
    public var prefetchSeconds: Int?
    /// Whether the worker polls each pool once, and ends after the runs that this poll returned.
    public var runsOnce = false
    /// How long a draining worker waits for runs in flight before it stops them; `nil` for as long as they take.
    public var drainTimeout: Duration?
    /// After how much time without a run in flight or due the worker ends; `nil` for never. Time in which the API cannot
    /// be reached, or in which the worker is paused, does not count.
    public var exitsWhenIdle: Duration?
    /// Whether runs that can continue without the worker survive its shutdown. The next worker with the same state
    /// directory adopts them.
    public var leavesRunsOnExit = false
    /// The number of files that this process may open. It limits the number of concurrent runs.
    public var openFiles = Self.permittedOpenFiles
    /// The destination of the output of runs; `nil` for this process's standard output and standard error.
    public var output: (any OutputSink)?
    /// Makes the handler of a logger with a label, for example `prefect.workers.process.name`. The default is the
    /// handler that `LoggingSystem` makes.
    public var makeLogHandler: @Sendable (_ label: String) -> any LogHandler = { Logger(label: $0).handler }

    /// A configuration with the defaults of `prefect-worker start`.
    ///
    /// - Parameters:
    ///   - settings: Prefect's settings.
    ///   - plan: The work pools to serve.
    ///   - backends: The types of the backends, such as `ProcessBackend.self`.
    public init(settings: PrefectSettings, plan: ServingPlan, backends: [any Backend.Type]) {
        self.settings = settings
        self.plan = plan
        self.backends = backends
    }

    /// This process's environment without the variables that a service manager gives to this process alone. A process
    /// that inherited them could send notifications in its name.
    package static var inheritedEnvironment: [String: String] {
        let own: Set = [
            "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
            "LISTEN_PIDFDID",
        ]
        return ProcessInfo.processInfo.environment.filter { !own.contains($0.key) }
    }

    /// The soft limit of this process; a system without a limit permits as many as an `Int32` can count.
    private static var permittedOpenFiles: Int {
        let limit = sysconf(Int32(_SC_OPEN_MAX))
        return limit < 0 ? Int(Int32.max) : limit
    }
}
