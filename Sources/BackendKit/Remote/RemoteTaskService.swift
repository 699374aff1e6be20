public import JobTemplates
public import PrefectJSON

/// A service that runs the tasks of a type of work pool elsewhere and that the worker polls.
///
/// ``RemoteTaskBackend`` makes a backend of it. The service itself only translates: it validates configurations, sends
/// single requests, and says what an answer means. The engine watches, repeats, recovers and cleans up.
public protocol RemoteTaskService: Sendable {
    /// A validated job configuration.
    associatedtype Specification: RemoteTaskSpecification
    /// The client of a place.
    associatedtype Client: RemoteTaskClient where Client.Specification == Specification

    /// The constant properties of the backend.
    static var traits: BackendTraits { get }

    /// Makes the service for a worker. Sends no request.
    init(host: BackendHost) throws

    /// Validates a rendered job configuration, and completes it for a run.
    ///
    /// - Parameter context: `nil` for a task that is never created and only watched and stopped. Then `rendered` may be
    ///   empty, and absent fields have their defaults.
    func specification(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> Specification

    /// Makes the client of a place. The engine keeps one client for each place.
    func client(at place: Specification.Place) throws -> Client

    /// Checks whether the service can be used.
    func check(_ pools: [PoolJobs]) async -> BackendReport
}

/// A job configuration of a remote task.
public protocol RemoteTaskSpecification: Sendable {
    /// The part of a service that one client covers, such as an account in a region, with its credentials.
    associatedtype Place: Sendable, Hashable

    /// Where the task runs.
    var place: Place { get }
    /// The configuration as `prefect-worker render` prints it.
    var description: JSONValue { get }
    /// Whether the task is Prefect's own flow engine. `true` by default.
    var runsFlowEngine: Bool { get }
    /// Whether the worker prints the task's output. `false` by default.
    var streamsOutput: Bool { get }
    /// Whether the task is kept after its end. `false` by default.
    var isKept: Bool { get }
    /// How long a run may wait for capacity or quota before it counts as refused; `nil` for any time, as by default.
    var capacityPatience: Duration? { get }
}

extension RemoteTaskSpecification {
    /// Always `true`: the task runs the flow engine.
    public var runsFlowEngine: Bool { true }
    /// Always `false`: the output of the task is not passed on.
    public var streamsOutput: Bool { false }
    /// Always `false`: the task is deleted after its end.
    public var isKept: Bool { false }
    /// Always `nil`: a run may wait for capacity for any time.
    public var capacityPatience: Duration? { nil }
}

/// The identity of a task before it exists.
public struct RemoteTaskKey: Sendable, Hashable {
    /// The flow run's id.
    public let flowRunID: String
    /// The id of the worker's claim on the run, which is the same for every attempt to create the task. It can serve as
    /// the service's idempotency key, or as a part of the task's name.
    public let claimID: String
    /// The mark on the tasks of this worker, see ``OwnerMark``.
    public let owner: String
    /// Whether the creation was cancelled. A task that was created and does not run yet may be deleted then.
    public let isAbandoned: Bool

    /// A key.
    public init(flowRunID: String, claimID: String, owner: String, isAbandoned: Bool = false) {
        self.flowRunID = flowRunID
        self.claimID = claimID
        self.owner = owner
        self.isAbandoned = isAbandoned
    }
}

/// The requests to one place of a service. Every throwing method throws ``RemoteTaskError``, or `CancellationError`
/// when its task is cancelled.
public protocol RemoteTaskClient: Sendable {
    /// A validated job configuration.
    associatedtype Specification: RemoteTaskSpecification
    /// The state of a task as the service describes it.
    associatedtype Status: Sendable, Equatable

    /// The name of the place for messages and for records, without secrets. Two places have different names.
    var name: String { get }

    /// How often tasks are described, and how many in one request.
    static var watchPolicy: WatchPolicy { get }

    /// Creates the task, which must not be created twice for a key. Returns its name at this place.
    func create(_ specification: Specification, for key: RemoteTaskKey) async throws -> String

    /// The task that was created for a key; `nil` if the service knows none.
    func find(_ key: RemoteTaskKey) async throws -> String?

    /// The same for a client whose tasks have names that the specification decides. Calls the method above by
    /// default. Throws ``InfrastructureError`` of the kind `notReachable` when the place of the task is not known.
    func find(_ specification: Specification, for key: RemoteTaskKey) async throws -> String?

    /// Describes tasks. A task that the service does not know is not in the answer.
    func describe(_ tasks: [String]) async throws -> [String: Status]

    /// How a task ended; `nil` while it has not.
    func end(of status: Status) -> ExitStatus?

    /// Why a task that exists has not begun, in one line; `nil` when it has, as by default.
    func reasonForWaiting(_ status: Status) -> String?

    /// Reports a new status of a task, such as an event. Does nothing by default.
    func report(_ status: Status, after previous: Status?, of task: String, to reporter: any JobReporter)

    /// Passes on which tasks have changed, where the service reports changes, until its task is cancelled. Such reports
    /// only make the watch faster. Returns at once by default.
    func followChanges(_ changed: @escaping @Sendable (_ task: String) -> Void) async

    /// Requests that a task end. Returns before it has.
    func stop(_ task: String, grace: Duration, reason: StopReason) async throws

    /// How long beyond its grace a flow that is being cancelled may take to end by itself, before it is stopped. The flow
    /// engine learns of the cancellation and runs the flow's hooks. The default is zero: the task is stopped at once.
    static var hookTime: Duration { get }

    /// How long after its grace a task may take to end before it is killed. The default is 30 s, because many services
    /// end a task by force themselves.
    static var stopMargin: Duration { get }

    /// Ends a task that did not end within its grace. Stops it again by default.
    func kill(_ task: String) async throws

    /// Deletes a task with all that was created for it. Called until it throws an error of the kind `notFound` or
    /// returns `true`, which means that the service keeps nothing to delete.
    func delete(_ task: String) async throws -> Bool

    /// The tasks of this worker that have ended, and those that have not begun within ``OrphanSweep/grace``. None by
    /// default.
    ///
    /// - Parameter claims: The claims whose creation continues; their tasks are no orphans.
    func orphans(of owner: String, creating claims: Set<String>) async throws -> [String]

    /// The flow run and the claim of an orphan, where it states them, as by a mark of ``RemoteTaskKey``. A run whose
    /// recovery has yet to decide keeps its tasks. `nil` by default.
    func origin(of orphan: String) -> RemoteTaskOrigin?

    /// The output of a task after a position. Empty by default.
    ///
    /// - Parameter position: A text of an earlier ``RemoteOutput``; `nil` for the beginning.
    func output(of task: String, after position: String?) async throws -> RemoteOutput

    /// The address of a task in the service's console, which the run's log shows; `nil` for none, as by default.
    func consoleURL(of task: String) -> String?

    /// The identifier that the API stores for a task.
    func identifier(of task: String) -> InfrastructureIdentifier

    /// The task of an identifier. Throws ``InfrastructureError`` of the kind `notReachable` for a task of another place.
    func task(of identifier: InfrastructureIdentifier) throws -> String
}

extension RemoteTaskClient {
    /// The default policy of a service that is polled.
    public static var watchPolicy: WatchPolicy {
        WatchPolicy(batchSize: 100, spacing: .seconds(1), absences: 3, interval: WatchPolicy.polling)
    }

    /// Zero: a cancelled flow is stopped at once.
    public static var hookTime: Duration { .zero }

    /// Half a minute.
    public static var stopMargin: Duration { .seconds(30) }

    /// Always `nil`: no reason is known.
    public func reasonForWaiting(_ status: Status) -> String? { nil }

    /// Does nothing.
    public func report(_ status: Status, after previous: Status?, of task: String, to reporter: any JobReporter) {}

    /// Returns at once: the service reports no changes.
    public func followChanges(_ changed: @escaping @Sendable (_ task: String) -> Void) async {}

    /// Stops the task without grace.
    public func kill(_ task: String) async throws { try await stop(task, grace: .zero, reason: .shutdown) }

    /// Always empty: the service finds no orphans.
    public func orphans(of owner: String, creating claims: Set<String>) async throws -> [String] { [] }

    /// Finds the task by its key alone.
    public func find(_ specification: Specification, for key: RemoteTaskKey) async throws -> String? {
        try await find(key)
    }

    /// Always `nil`: orphans do not state their origin.
    public func origin(of orphan: String) -> RemoteTaskOrigin? { nil }

    /// Always empty: the service has no output.
    public func output(of task: String, after position: String?) async throws -> RemoteOutput { RemoteOutput() }

    /// Always `nil`: the service has no console.
    public func consoleURL(of task: String) -> String? { nil }

    /// The name of the task is the identifier.
    public func identifier(of task: String) -> InfrastructureIdentifier { InfrastructureIdentifier(rawValue: task) }

    /// The identifier is the name of the task.
    public func task(of identifier: InfrastructureIdentifier) throws -> String { identifier.rawValue }
}

/// The run for which a task was created.
public struct RemoteTaskOrigin: Sendable, Hashable {
    /// The flow run's id.
    public let flowRunID: String
    /// The id of the worker's claim on the run, if it is known.
    public let claimID: String?

    /// An origin.
    public init(flowRunID: String, claimID: String? = nil) {
        self.flowRunID = flowRunID
        self.claimID = claimID
    }
}

/// A portion of a task's output.
public struct RemoteOutput: Sendable {
    /// The bytes, which end with a complete line unless the task has ended.
    public var bytes: [UInt8]
    /// The position after these bytes; `nil` leaves the position unchanged.
    public var position: String?

    /// A portion; nothing by default.
    public init(bytes: [UInt8] = [], position: String? = nil) {
        self.bytes = bytes
        self.position = position
    }
}

/// Why a request about a remote task failed.
public struct RemoteTaskError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of a failure, which decides what the engine does.
    public enum Kind: Sendable, Hashable {
        /// The service refuses the request, and would refuse it again.
        case refused
        /// The task does not exist.
        case notFound
        /// The service gave no answer, or asks to wait. The request may have been carried out unless `isUnapplied`.
        case unavailable(isUnapplied: Bool)
        /// The service has no capacity or no quota for the task at the moment.
        case full
    }

    /// The kind of the failure.
    public let kind: Kind
    /// The cause and the remedy, in one line.
    public let message: String
    /// How long the service asks to wait.
    public let retryAfter: Duration?
    /// The exit code with the same meaning, where there is a customary one.
    public let exitCode: Int?

    /// An error.
    public init(_ kind: Kind, _ message: String, retryAfter: Duration? = nil, exitCode: Int? = nil) {
        self.kind = kind
        self.message = message
        self.retryAfter = retryAfter
        self.exitCode = exitCode
    }

    /// The message.
    public var description: String { message }
}
