public import JobTemplates
public import PrefectJSON

/// Infrastructure that flow runs are launched on: processes, containers, jobs. A backend serves one type of work pool.
///
/// A backend keeps as little state as it can. The ``InfrastructureIdentifier`` that ``Workload/start()`` returns
/// contains the data that the backend needs after a restart of the worker. With it, ``Workload/wait(for:)`` and
/// ``Workload/stop(_:grace:reason:)`` work for infrastructure that an earlier process of the worker has started.
///
/// Cancelling a task that waits for infrastructure does not affect the infrastructure.
///
/// A backend whose flows declare hooks makes workloads that conform to ``FlowHookRunner``.
public protocol Backend: Sendable {
    /// The constant properties of the backend.
    static var traits: BackendTraits { get }

    /// Makes a backend for a worker. Sends no request to the infrastructure. Throws ``InfrastructureError`` when the
    /// worker's environment or settings are not usable.
    init(host: BackendHost) throws

    /// Makes the workload of one flow run from a rendered job configuration.
    ///
    /// - Parameters:
    ///   - rendered: The job configuration that the pool's template yields.
    ///   - context: The data that completes the configuration: environment, labels, name, command. `nil` for a workload
    ///     that is never started, because its configuration cannot be made; it only watches and stops infrastructure.
    /// - Throws: ``InfrastructureError`` of the kind `refused`, or the error of a template, for a configuration that is
    ///   not valid.
    func workload(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> any Workload

    /// Does the backend's work for all of its infrastructure, such as its watch. It runs from before the first run of
    /// the pool until its task is cancelled. Does nothing by default.
    func run() async

    /// Releases what the backend keeps ready for new runs. The worker calls it when it shuts down and takes no more
    /// runs. Runs that have been taken may still start. Does nothing by default.
    func releaseSpares() async

    /// Why nothing can be started at the moment, in one line, where the cause may pass by itself; `nil` when it can.
    /// The value is known without a request. As long as there is a reason, the worker claims no runs and is not ready.
    /// Always `nil` by default.
    var unavailableReason: String? { get }

    /// For how long the watch may have missed changes of infrastructure: zero while it covers all infrastructure. `nil`
    /// for a backend without a watch, as by default.
    var watchLag: Duration? { get }

    /// The backend's part of `/status`, without secrets and without data of single runs; `nil` by default.
    var activity: JSONValue? { get }

    /// Checks whether the infrastructure can be used, for start-up and `prefect-worker check`.
    ///
    /// - Parameter pools: The pools whose jobs may name infrastructure of their own, which is checked as well.
    func check(_ pools: [PoolJobs]) async -> BackendReport

    /// Begins to watch infrastructure that an earlier process of the worker has started, so that its end is not missed.
    /// The worker calls this before it knows anything else about the run. Does nothing by default.
    func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async

    /// Removes resources that earlier processes of the worker created for runs outside `flowRunIDs` and that are no
    /// longer in use. Does nothing by default.
    func removeOrphans(except flowRunIDs: Set<String>) async

    /// Waits until the output that runs have printed so far has been passed on, for the end of the worker. Does not
    /// wait by default.
    /// - Returns: Whether the output was passed on within the time; the method waits no longer for a reader that reads
    ///   nothing.
    @discardableResult
    func flushOutput(within limit: Duration) async -> Bool
}

extension Backend {
    /// The constant properties of the backend.
    public var traits: BackendTraits { Self.traits }

    /// Makes a backend of a type that is known only at run time.
    public static func make(for host: BackendHost) throws -> any Backend { try Self(host: host) }

    /// Does nothing.
    public func run() async {}

    /// Does nothing.
    public func releaseSpares() async {}

    /// Always `nil`: something can be started at any time.
    public var unavailableReason: String? { nil }

    /// Always `nil`: the backend has no watch.
    public var watchLag: Duration? { nil }

    /// Always `nil`: the backend adds nothing to `/status`.
    public var activity: JSONValue? { nil }

    /// The check of the worker's own infrastructure.
    public func check() async -> BackendReport { await check([]) }

    /// Does nothing.
    public func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {}

    /// Does nothing.
    public func removeOrphans(except flowRunIDs: Set<String>) async {}

    /// Returns `true` without waiting.
    @discardableResult
    public func flushOutput(within limit: Duration) async -> Bool { true }
}

/// A backend that also observes the infrastructure of runs that other workers have started.
package protocol ForeignRunObserver: Backend {
    /// Observes the infrastructure of other workers' runs, where the configuration requests that, until its task is
    /// cancelled. Reports the crashes that those workers no longer report.
    func observe(_ runs: any ForeignRuns) async
}
