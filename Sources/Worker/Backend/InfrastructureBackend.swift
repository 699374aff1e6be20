public import JSON
public import JobTemplates

/// What a backend runs a flow run with: the rendered job configuration in the backend's own form.
public protocol JobConfiguration: Sendable {
    /// The configuration as `prefect-worker render` prints it, with every field present.
    var json: JSONValue { get }

    /// Whether the job is Prefect's own flow engine, which sets a final state before it ends; `false` when the user
    /// runs something else that may leave that to others.
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
/// A backend keeps as little state as it can. What it must find again after a restart of the worker goes into the
/// ``InfrastructureIdentifier`` that ``start(_:)`` returns, so that ``wait(for:job:)`` and ``stop(_:job:grace:reason:)``
/// work for infrastructure that an earlier process of the worker has started.
///
/// Every throwing method throws ``InfrastructureError``, or `CancellationError` when its task is cancelled; cancelling
/// a task that waits for infrastructure leaves the infrastructure alone.
public protocol InfrastructureBackend: Sendable {
    /// The backend's form of a job configuration.
    associatedtype Configuration: JobConfiguration

    /// The type of the work pools served: `process`, `docker`, `kubernetes`, …
    static var workerType: String { get }

    /// The template that a pool without one of its own is given.
    static var defaultBaseJobTemplate: BaseJobTemplate { get }

    /// Whether infrastructure goes on when the worker is gone: then no shutdown of the worker ends it, and the next
    /// worker finds it again. `false` by default.
    static var outlivesWorker: Bool { get }

    /// Whether a worker that serves a pool once leaves its runs as soon as their infrastructure exists, since that needs no
    /// worker to begin. `false` by default: then it waits for their ends.
    static var isDoneOnceStarted: Bool { get }

    /// The fields of the job configuration that say what a run may do on the worker's host, such as its user: only the work
    /// pool sets them, unless the worker's operator allows job variables that do. None by default.
    static var privilegedFields: Set<String> { get }

    /// Whether runs inherit the environment of the worker's process, and with it the worker's own settings. `false` by default:
    /// jobs are given none of these.
    static var inheritsEnvironment: Bool { get }

    /// Reads a rendered job configuration and validates it.
    func configuration(rendered: JSONValue) throws -> Configuration

    /// Completes a configuration for one flow run: environment, labels, name, command.
    func prepare(_ configuration: Configuration, for context: PreparationContext) throws -> Configuration

    /// Creates the infrastructure and returns as soon as it exists. Where its task is cancelled, because the run is not to
    /// start any more or is to be left to a later process, it may stop half-way and throw `CancellationError`: what there is
    /// then ``remains(of:identifier:)`` tells.
    func start(_ job: Job<Configuration>) async throws -> InfrastructureIdentifier

    /// Waits for infrastructure to end, whoever started it, and returns how it ended. May be called again.
    func wait(for identifier: InfrastructureIdentifier, job: Job<Configuration>) async throws -> ExitStatus

    /// Asks infrastructure to end, and ends it by force after `grace`. Returns when nothing of it is left.
    func stop(
        _ identifier: InfrastructureIdentifier, job: Job<Configuration>, grace: Duration, reason: StopReason
    ) async throws

    /// Begins to watch infrastructure that an earlier process of the worker has started, before anything else is known of
    /// its run, so that no end of it goes unseen. Does nothing by default.
    func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async

    /// What is left of the infrastructure of a run that an earlier process of the worker has left. Without an identifier
    /// that process died while it created the infrastructure, or was made to stop creating it: then this finds out whether
    /// it did, and sees to it that what is not there yet does not come any more.
    func remains(
        of job: Job<Configuration>, identifier: InfrastructureIdentifier?
    ) async throws -> InfrastructureRemains

    /// Removes what earlier processes of the worker left behind for runs that are not among `flowRunIDs`, and that nothing
    /// uses any more. Does nothing by default.
    func discardRemains(except flowRunIDs: Set<String>) async

    /// Runs the flow's own hooks for a state that the worker has set on its behalf, when the flow's process did not
    /// run them itself. Failures are reported to the job's reporter and not thrown.
    func runHooks(
        _ kind: FlowHook, state: JSONValue, of identifier: InfrastructureIdentifier?, job: Job<Configuration>
    ) async

    /// Removes what the run leaves behind, after its end has been reported and its hooks have run.
    func cleanUp(_ identifier: InfrastructureIdentifier, job: Job<Configuration>) async

    /// Whether the infrastructure can be used, for start-up and `prefect-worker check`.
    func check() async -> BackendReport

    /// The same, and whether the jobs of these pools can be run wherever they go. ``check()`` by default.
    func check(_ pools: [PoolJobs]) async -> BackendReport

    /// Whether the jobs of a template say themselves which infrastructure they run on, so that they can although
    /// ``check()`` finds none of the worker's own. `false` by default.
    static func bringsInfrastructure(_ template: BaseJobTemplate) -> Bool

    /// Why nothing can be started at the moment, in one line, where that may pass by itself; `nil` when it can. Known
    /// without asking: as long as there is a reason, runs that come are not claimed, and the worker is not ready. Always
    /// `nil` by default.
    var trouble: String? { get }

    /// For how long something may have happened to infrastructure that a watch would have told of: zero while everything
    /// is watched that there is to be watched. `nil` for a backend without a watch, as by default.
    var watchLag: Duration? { get }

    /// What the backend does besides, for all of its infrastructure, from before the first run of the pool until its task
    /// is cancelled. Nothing by default.
    func run() async

    /// Observes the infrastructure of runs that other workers have started, where that is asked for, and reports the crashes that
    /// these do not report any more, until its task is cancelled. Nothing by default.
    func observe(_ runs: any OtherRuns) async

    /// Waits until what runs have printed so far has been passed on, for the end of the worker. Nothing waits by default.
    /// - Returns: Whether that was so within the time; whoever takes nothing is not waited for any longer.
    @discardableResult
    func flushOutput(within limit: Duration) async -> Bool
}

extension InfrastructureBackend {
    public static var outlivesWorker: Bool { false }

    public static var isDoneOnceStarted: Bool { false }

    public static var privilegedFields: Set<String> { [] }

    public static var inheritsEnvironment: Bool { false }

    public func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {}

    public func discardRemains(except flowRunIDs: Set<String>) async {}

    public func runHooks(
        _ kind: FlowHook, state: JSONValue, of identifier: InfrastructureIdentifier?, job: Job<Configuration>
    ) async {}

    public func cleanUp(_ identifier: InfrastructureIdentifier, job: Job<Configuration>) async {}

    public func check(_ pools: [PoolJobs]) async -> BackendReport { await check() }

    public static func bringsInfrastructure(_ template: BaseJobTemplate) -> Bool { false }

    /// The same for a template that may not be one: then they do not.
    public static func bringsInfrastructure(_ template: JSONValue) -> Bool {
        (try? BaseJobTemplate(json: template)).map { bringsInfrastructure($0) } == true
    }

    public var trouble: String? { nil }

    public var watchLag: Duration? { nil }

    public func run() async {}

    public func observe(_ runs: any OtherRuns) async {}

    @discardableResult
    public func flushOutput(within limit: Duration) async -> Bool { true }
}

/// What is left of the infrastructure of a run that an earlier process of the worker has left.
public enum InfrastructureRemains: Sendable, Hashable {
    /// It was never created, and will not be.
    case neverStarted
    /// It is there.
    case running(InfrastructureIdentifier)
    /// It existed and has ended.
    case ended(InfrastructureIdentifier)
    /// It may be there, out of this worker's reach.
    case outOfReach
}

/// Why infrastructure is stopped.
public enum StopReason: Sendable, Hashable {
    /// The flow run is being cancelled: the flow may run its `on_cancellation` hooks.
    case cancelled
    /// The worker shuts down.
    case shutdown
}

/// A kind of hook that a flow can declare and that must run although its process is gone.
public enum FlowHook: String, Sendable, Hashable {
    case cancellation
    case crashed
}

/// What a backend found out about its infrastructure.
public struct BackendReport: Sendable, Hashable {
    /// One thing that was looked at.
    public struct Finding: Sendable, Hashable {
        /// What was looked at, in two or three words.
        public let subject: String
        /// What was found, in one line; for a failure with the remedy.
        public let detail: String
        /// Whether it is as it must be.
        public let isGood: Bool
        /// Whether it concerns a part of the runs, so that a worker serves the others all the same.
        public let isPartial: Bool

        /// A finding.
        public init(subject: String, detail: String, isGood: Bool, isPartial: Bool = false) {
            self.subject = subject
            self.detail = detail
            self.isGood = isGood
            self.isPartial = isPartial
        }
    }

    /// All findings, in the order in which they were made.
    public let findings: [Finding]

    /// A report of findings.
    public init(findings: [Finding]) {
        self.findings = findings
    }

    /// The first reason why no run can be launched; `nil` when some can.
    public var problem: Finding? { findings.first { !$0.isGood && !$0.isPartial } }

    /// Whether all is as it must be.
    public var isUsable: Bool { findings.allSatisfy(\.isGood) }
}
