public import PrefectJSON

/// The infrastructure of one flow run, as its job configuration describes it.
///
/// Every throwing method throws ``InfrastructureError``, or `CancellationError` when its task is cancelled.
public protocol Workload: Sendable {
    /// The configuration as `prefect-worker render` prints it, with every field present.
    var description: JSONValue { get }

    /// Whether the workload is Prefect's own flow engine, which sets a final state before it ends. `false` when the user
    /// runs another program, which may set none. `true` by default.
    var runsFlowEngine: Bool { get }

    /// Whether the worker prints the run's output. `false` by default.
    var streamsOutput: Bool { get }

    /// Creates the infrastructure and returns as soon as it exists. The worker cancels its task when the run must not
    /// start any more or is to pass to a later process. The method may then stop half-way and throw
    /// `CancellationError`; ``recover(_:)`` reports the infrastructure that exists.
    func start() async throws -> InfrastructureIdentifier

    /// The workload without what only ``start()`` and ``description`` need, such as a manifest. A worker keeps this form
    /// of a run with infrastructure, of which there may be thousands. It is able to wait, stop, run hooks and clean up.
    /// The workload itself by default.
    var afterStart: any Workload { get }

    /// Waits until infrastructure ends, also when another process started it, and returns its exit status. May be
    /// called again.
    func wait(for identifier: InfrastructureIdentifier) async throws -> ExitStatus

    /// Requests that infrastructure end, and ends it by force after `grace`. Returns when none of it exists any more.
    func stop(_ identifier: InfrastructureIdentifier, grace: Duration, reason: StopReason) async throws

    /// The state of infrastructure that an earlier process of the worker may have created for the run. Without an
    /// identifier, that process died or was stopped while it created the infrastructure. The method then finds out
    /// whether the infrastructure exists, and prevents its later creation if it does not.
    func recover(_ identifier: InfrastructureIdentifier?) async throws -> RecoveredInfrastructure

    /// Removes the run's resources, after its end has been reported and its hooks have run. Does nothing by default.
    func cleanUp(_ identifier: InfrastructureIdentifier) async
}

extension Workload {
    /// Always `true`: the command is that of the flow engine.
    public var runsFlowEngine: Bool { true }

    /// Always `false`: the output of the run is not passed on.
    public var streamsOutput: Bool { false }

    /// The workload itself.
    public var afterStart: any Workload { self }

    /// Does nothing.
    public func cleanUp(_ identifier: InfrastructureIdentifier) async {}
}

/// A workload that can run the hooks of a flow whose process did not run them itself.
public protocol FlowHookRunner: Workload {
    /// Runs the flow's own hooks for a state that the worker has set on its behalf. The method reports failures to the
    /// run's reporter and does not throw them.
    func runHooks(_ kind: FlowHook, state: JSONValue, of identifier: InfrastructureIdentifier?) async
}

/// A kind of hook that a flow can declare and that must run although its process has ended.
public enum FlowHook: String, Sendable, Hashable {
    /// The hooks of a cancelled run: `on_cancellation`.
    case cancellation
    /// The hooks of a crashed run: `on_crashed`.
    case crashed
}

/// Why infrastructure is stopped.
public enum StopReason: Sendable, Hashable {
    /// The flow run is being cancelled: the flow may run its `on_cancellation` hooks.
    case cancelled
    /// The worker shuts down.
    case shutdown
}

/// The state of infrastructure that an earlier process of the worker may have created for a run.
public enum RecoveredInfrastructure: Sendable, Hashable {
    /// It was never created and will not be.
    case neverStarted
    /// It exists. It may have ended; then ``Workload/wait(for:)`` returns how.
    case present(InfrastructureIdentifier)
    /// It existed, and no longer exists.
    case ended(InfrastructureIdentifier)
    /// It may exist, out of this worker's reach.
    case outOfReach
}
