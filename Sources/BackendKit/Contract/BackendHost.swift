public import Logging
public import PrefectClient

/// The worker for which a backend is made: the values that a backend may need from its surroundings.
public struct BackendHost: Sendable {
    /// The worker's own environment.
    public var environment: [String: String]
    /// The Python interpreter that the operator chose: a path or a name, or `none`; `nil` without a choice.
    public var python: String?
    /// The environment of a run that inherits the worker's, as far as it is the same for all runs; `nil` for the worker's
    /// own.
    public var runEnvironment: [String: String]?
    /// Which runs of process pools start as copies of a process that has imported the flow engine.
    public var warmEngines: WarmEngines
    /// Whether the backend is made for a check only. Then the check also examines what takes seconds, such as imports.
    public var isForCheck = false
    /// Whether job variables and blocks may name programs and files of the worker's host to authenticate with the
    /// infrastructure.
    public var allowsHostCredentials: Bool
    /// The settings of Prefect's integrations.
    public var settings: IntegrationSettings
    /// The worker's state directory, if it has one.
    public var stateDirectory: String?
    /// The reason why a worker that serves pools has no state directory; `nil` when it has one or needs none.
    public var stateDirectoryProblem: String?
    /// The destination of the output of runs; `nil` for this process's standard output and standard error.
    public var sink: (any OutputSink)?
    /// The log that the worker's operator reads.
    public var logger: Logger

    /// A worker. Without settings, those in the environment apply.
    public init(
        environment: [String: String], python: String? = nil, warmEngines: WarmEngines = .off,
        allowsHostCredentials: Bool = false,
        settings: IntegrationSettings? = nil, stateDirectory: String? = nil, stateDirectoryProblem: String? = nil,
        sink: (any OutputSink)? = nil,
        logger: Logger = Logger(label: "prefect.workers", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.environment = environment
        self.python = python
        self.warmEngines = warmEngines
        self.allowsHostCredentials = allowsHostCredentials
        self.settings = settings ?? IntegrationSettings(environment: environment)
        self.stateDirectory = stateDirectory
        self.stateDirectoryProblem = stateDirectoryProblem
        self.sink = sink
        self.logger = logger
    }

    /// The destination of the standard output of runs.
    public var standardOutput: any OutputSink { sink ?? DescriptorSink.standardOutput }

    /// The destination of the standard error of runs.
    public var standardError: any OutputSink { sink ?? DescriptorSink.standardError }
}
