public import JSON

/// One flow run to be launched: who it is, what with, and where to report.
public struct Job<Configuration: JobConfiguration>: Sendable {
    /// The flow run's id.
    public let flowRunID: String
    /// The flow run's name.
    public let flowRunName: String
    /// The worker's claim on the flow run, which no other attempt at it has; the same after a restart of the worker.
    public let claimID: String
    /// The deployment that the flow's code can be loaded from, when there is one.
    public let deploymentID: String?
    /// The prepared configuration.
    public let configuration: Configuration
    /// Where the backend writes what the run's owner should read.
    public let reporter: any JobReporter

    /// A job for a flow run.
    public init(
        flowRunID: String, flowRunName: String, claimID: String, deploymentID: String?, configuration: Configuration,
        reporter: any JobReporter
    ) {
        self.flowRunID = flowRunID
        self.flowRunName = flowRunName
        self.claimID = claimID
        self.deploymentID = deploymentID
        self.configuration = configuration
        self.reporter = reporter
    }
}

/// A severity with the numbers that Prefect's API uses.
public enum RunLogLevel: Int, Sendable, Hashable, Comparable {
    case debug = 10
    case info = 20
    case warning = 30
    case error = 40

    public static func < (left: RunLogLevel, right: RunLogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// Where a backend reports what happens to one flow run: into the run's log, and as events.
public protocol JobReporter: Sendable {
    /// Writes a line into the flow run's log (and the worker's own).
    func log(_ level: RunLogLevel, _ message: String)

    /// Writes a line into the flow run's log at the API only, since the worker's own log has its text already.
    func logAtAPI(_ level: RunLogLevel, _ message: String)

    /// Emits an event about a resource of the infrastructure; the run's related resources are added, and the event
    /// follows the previous one of the same resource.
    func emit(event: String, resource: JSONValue, payload: JSONValue)

    /// The same for an event that others see too: its `id` is the one that they give it, so that the API takes it once,
    /// and `occurred` is the time that the infrastructure gives; `nil` is now.
    func emit(event: String, resource: JSONValue, payload: JSONValue, id: String, occurred: Timestamp?)

    /// Tells the API that the infrastructure exists and has yet to begin (`InfrastructurePending`), unless the run is
    /// further or knows it. Returns whether that is settled; if not, it may be told again later.
    func reportPending(_ message: String) async -> Bool
}

extension JobReporter {
    public func logAtAPI(_ level: RunLogLevel, _ message: String) { log(level, message) }

    public func emit(event: String, resource: JSONValue, payload: JSONValue, id: String, occurred: Timestamp?) {
        emit(event: event, resource: resource, payload: payload)
    }

    public func reportPending(_ message: String) async -> Bool { true }
}

/// Infrastructure that exists, by the name under which it can be found again.
public struct InfrastructureIdentifier: Sendable, Hashable, CustomStringConvertible {
    /// The form that the API stores as `infrastructure_pid`, the same as the Python worker's.
    public let rawValue: String
    /// What else the backend needs to find it again in a later process and to be sure that it is the same; an object.
    public let handle: JSONValue

    /// An identifier.
    public init(rawValue: String, handle: JSONValue = [:]) {
        self.rawValue = rawValue
        self.handle = handle
    }

    public var description: String { rawValue }
}

/// How infrastructure ended.
public struct ExitStatus: Sendable, Hashable {
    /// The exit code; a signal's number is negative. `nil` when it ended and nobody saw how.
    public let code: Int?
    /// What the flow's process said about the run's outcome before it ended, when it could.
    public let conclusion: Conclusion?
    /// The last lines that it wrote to standard error, for the explanation of a crash.
    public let lastOutput: String?
    /// What the infrastructure itself gives as the reason, like a memory limit.
    public let reason: String?

    /// What a flow's process reported about its run.
    public enum Conclusion: Sendable, Hashable {
        /// It has set the run's state itself, to a state of this type.
        case stateReported(type: String, name: String)
        /// The API told it not to go on with the run.
        case abortedByAPI
    }

    /// How something ended.
    public init(code: Int?, conclusion: Conclusion? = nil, lastOutput: String? = nil, reason: String? = nil) {
        self.code = code
        self.conclusion = conclusion
        self.lastOutput = lastOutput
        self.reason = reason
    }

    /// The same with its texts changed.
    func mapTexts(_ change: (String) -> String) -> ExitStatus {
        ExitStatus(
            code: code, conclusion: conclusion, lastOutput: lastOutput.map(change), reason: reason.map(change))
    }
}

/// Why a backend could not do what it was asked.
public struct InfrastructureError: Error, Hashable, CustomStringConvertible {
    /// What the worker should make of it.
    public enum Kind: Sendable, Hashable {
        /// The infrastructure does not exist (any more).
        case notFound
        /// It may exist, but not within reach of this worker: another host, another engine.
        case notReachable
        /// The job cannot be run as it is configured.
        case refused
        /// The infrastructure cannot be used at the moment.
        case unavailable
    }

    /// What the worker should make of it.
    public let kind: Kind
    /// One line: the thing, the cause, the remedy.
    public let message: String
    /// The exit code that says the same, where there is a customary one (126, 127).
    public let exitCode: Int?

    /// An error.
    public init(_ kind: Kind, _ message: String, exitCode: Int? = nil) {
        self.kind = kind
        self.message = message
        self.exitCode = exitCode
    }

    public var description: String { message }

    /// Does something with a job configuration; what is wrong with that is a refusal of the job.
    public static func refusing<Result>(_ body: () throws -> Result) throws(InfrastructureError) -> Result {
        do {
            return try body()
        } catch {
            throw InfrastructureError(.refused, "\(error)")
        }
    }
}
