public import JSON
public import JobTemplates

/// The rendered job configuration that a flow run starts with, in the backend's own form.
public protocol JobConfiguration: Sendable {
    /// The configuration as `prefect-worker render` prints it, with every field present.
    var json: JSONValue { get }

    /// Whether the job is Prefect's own flow engine, which sets a final state before it ends. `false` when the user
    /// runs another program, which may set none.
    var runsFlowEngine: Bool { get }

    /// Whether the worker prints the run's output.
    var streamsOutput: Bool { get }
}

extension JobConfiguration {
    public var runsFlowEngine: Bool { true }
    public var streamsOutput: Bool { false }
}

/// Infrastructure that flow runs are launched on: processes, containers, jobs.
///
/// A backend keeps as little state as it can. The ``InfrastructureIdentifier`` that ``start(_:)`` returns contains the
/// data that the backend needs after a restart of the worker. With it, ``wait(for:job:)`` and
/// ``stop(_:job:grace:reason:)`` work for infrastructure that an earlier process of the worker has started.
///
/// Every throwing method throws ``InfrastructureError``, or `CancellationError` when its task is cancelled. Cancelling
/// a task that waits for infrastructure does not affect the infrastructure.
public protocol InfrastructureBackend: Sendable {
    /// The backend's form of a job configuration.
    associatedtype Configuration: JobConfiguration

    /// The type of the work pools served: `process`, `docker`, `kubernetes`, …
    static var workerType: String { get }

    /// The template for a pool without a template of its own.
    static var defaultBaseJobTemplate: BaseJobTemplate { get }

    /// Whether infrastructure continues after the worker has ended. If so, no shutdown of the worker ends it, and the
    /// next worker finds it again. `false` by default.
    static var outlivesWorker: Bool { get }

    /// Whether a worker that serves a pool once stops watching its runs as soon as their infrastructure exists. Such
    /// infrastructure begins without a worker. `false` by default: the worker waits until the runs have ended.
    static var isDoneOnceStarted: Bool { get }

    /// The fields of the job configuration that set the permissions of a run on the worker's host, such as its user.
    /// Only the work pool sets them, unless the worker's operator allows job variables that do. None by default.
    static var privilegedFields: Set<String> { get }

    /// Whether runs inherit the environment of the worker's process, and with it the worker's own settings. `false` by
    /// default: jobs receive none of these settings.
    static var inheritsEnvironment: Bool { get }

    /// Reads a rendered job configuration and validates it.
    func configuration(rendered: JSONValue) throws -> Configuration

    /// Completes a configuration for one flow run: environment, labels, name, command.
    func prepare(_ configuration: Configuration, for context: PreparationContext) throws -> Configuration

    /// Creates the infrastructure and returns as soon as it exists. The worker cancels its task when the run must not
    /// start any more or is to pass to a later process. The method may then stop half-way and throw
    /// `CancellationError`; ``remains(of:identifier:)`` reports the infrastructure that exists.
    func start(_ job: Job<Configuration>) async throws -> InfrastructureIdentifier

    /// Waits until infrastructure ends, also when another process started it, and returns its exit status. May be
    /// called again.
    func wait(for identifier: InfrastructureIdentifier, job: Job<Configuration>) async throws -> ExitStatus

    /// Requests that infrastructure end, and ends it by force after `grace`. Returns when none of it exists any more.
    func stop(
        _ identifier: InfrastructureIdentifier, job: Job<Configuration>, grace: Duration, reason: StopReason
    ) async throws

    /// Begins to watch infrastructure that an earlier process of the worker has started, so that its end is not missed.
    /// The worker calls this before it knows anything else about the run. Does nothing by default.
    func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async

    /// The state of infrastructure that an earlier process of the worker may have created for a run. Without an
    /// identifier, that process died or was stopped while it created the infrastructure. The method then finds out
    /// whether the infrastructure exists, and prevents its later creation if it does not.
    func recover(
        _ job: Job<Configuration>, identifier: InfrastructureIdentifier?
    ) async throws -> RecoveredInfrastructure

    /// Removes resources that earlier processes of the worker created for runs outside `flowRunIDs` and that are no
    /// longer in use. Does nothing by default.
    func removeOrphans(except flowRunIDs: Set<String>) async

    /// Runs the flow's own hooks for a state that the worker has set on its behalf, when the flow's process did not run
    /// them itself. The method reports failures to the job's reporter and does not throw them.
    func runHooks(
        _ kind: FlowHook, state: JSONValue, of identifier: InfrastructureIdentifier?, job: Job<Configuration>
    ) async

    /// Removes the run's resources, after its end has been reported and its hooks have run.
    func cleanUp(_ identifier: InfrastructureIdentifier, job: Job<Configuration>) async

    /// Checks whether the infrastructure can be used, for start-up and `prefect-worker check`.
    func check() async -> BackendReport

    /// The same check, which also covers the infrastructure that the jobs of these pools name themselves. ``check()``
    /// by default.
    func check(_ pools: [PoolJobs]) async -> BackendReport

    /// Whether the jobs of a template name the infrastructure that they run on. Such jobs can run although ``check()``
    /// finds no infrastructure of the worker's own. `false` by default.
    static func bringsInfrastructure(_ template: BaseJobTemplate) -> Bool

    /// Why nothing can be started at the moment, in one line, where the cause may pass by itself; `nil` when it can.
    /// The value is known without a request. As long as there is a reason, the worker claims no runs and is not ready.
    /// Always `nil` by default.
    var unavailableReason: String? { get }

    /// For how long the watch may have missed changes of infrastructure: zero while it covers all infrastructure. `nil`
    /// for a backend without a watch, as by default.
    var watchLag: Duration? { get }

    /// Does the backend's other work for all of its infrastructure. It runs from before the first run of the pool until
    /// its task is cancelled. Does nothing by default.
    func run() async

    /// Observes the infrastructure of runs that other workers have started, where the configuration requests that,
    /// until its task is cancelled. Reports the crashes that those workers no longer report. Does nothing by default.
    func observe(_ runs: any ForeignRuns) async

    /// Waits until the output that runs have printed so far has been passed on, for the end of the worker. Does not
    /// wait by default.
    /// - Returns: Whether the output was passed on within the time; the method waits no longer for a reader that reads
    ///   nothing.
    @discardableResult
    func flushOutput(within limit: Duration) async -> Bool
}

extension InfrastructureBackend {
    public static var outlivesWorker: Bool { false }

    public static var isDoneOnceStarted: Bool { false }

    public static var privilegedFields: Set<String> { [] }

    public static var inheritsEnvironment: Bool { false }

    public func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {}

    public func removeOrphans(except flowRunIDs: Set<String>) async {}

    public func runHooks(
        _ kind: FlowHook, state: JSONValue, of identifier: InfrastructureIdentifier?, job: Job<Configuration>
    ) async {}

    public func cleanUp(_ identifier: InfrastructureIdentifier, job: Job<Configuration>) async {}

    public func check(_ pools: [PoolJobs]) async -> BackendReport { await check() }

    public static func bringsInfrastructure(_ template: BaseJobTemplate) -> Bool { false }

    /// The same for a value that may not be a template; `false` if it is none.
    public static func bringsInfrastructure(_ template: JSONValue) -> Bool {
        (try? BaseJobTemplate(json: template)).map { bringsInfrastructure($0) } == true
    }

    public var unavailableReason: String? { nil }

    public var watchLag: Duration? { nil }

    public func run() async {}

    public func observe(_ runs: any ForeignRuns) async {}

    @discardableResult
    public func flushOutput(within limit: Duration) async -> Bool { true }
}

/// The state of infrastructure that an earlier process of the worker may have created for a run.
public enum RecoveredInfrastructure: Sendable, Hashable {
    /// It was never created and will not be.
    case neverStarted
    /// It exists and has not ended.
    case present(InfrastructureIdentifier)
    /// It existed and has ended.
    case ended(InfrastructureIdentifier)
    /// It may exist, out of this worker's reach.
    case outOfReach
}

/// Why infrastructure is stopped.
public enum StopReason: Sendable, Hashable {
    /// The flow run is being cancelled: the flow may run its `on_cancellation` hooks.
    case cancelled
    /// The worker shuts down.
    case shutdown
}

/// A kind of hook that a flow can declare and that must run although its process has ended.
public enum FlowHook: String, Sendable, Hashable {
    case cancellation
    case crashed
}

/// A backend's report about its infrastructure.
public struct BackendReport: Sendable, Hashable {
    /// The result of one check.
    public struct Finding: Sendable, Hashable {
        /// The subject of the check, in two or three words.
        public let subject: String
        /// The result in one line; for a failure, with the remedy.
        public let detail: String
        /// Whether the subject is as it must be.
        public let isGood: Bool
        /// Whether the finding concerns only some of the runs, so that a worker still serves the others.
        public let isPartial: Bool

        /// A finding.
        public init(subject: String, detail: String, isGood: Bool, isPartial: Bool = false) {
            self.subject = subject
            self.detail = detail
            self.isGood = isGood
            self.isPartial = isPartial
        }
    }

    /// All findings, in the order of the checks.
    public let findings: [Finding]

    /// A report of findings.
    public init(findings: [Finding]) {
        self.findings = findings
    }

    /// The first reason why no run can be launched; `nil` when some can.
    public var problem: Finding? { findings.first { !$0.isGood && !$0.isPartial } }

    /// Whether all findings are good.
    public var isUsable: Bool { findings.allSatisfy(\.isGood) }
}
