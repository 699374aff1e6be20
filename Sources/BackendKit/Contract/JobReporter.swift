public import PrefectJSON

/// A severity with the numbers that Prefect's API uses.
public enum RunLogLevel: Int, Sendable, Hashable, Comparable {
    /// Details that only a search for a fault needs.
    case debug = 10
    /// Progress of the run.
    case info = 20
    /// A problem that the run may survive.
    case warning = 30
    /// A problem that ends the run, or the reason of its end.
    case error = 40

    /// Orders the levels by their importance.
    public static func < (left: RunLogLevel, right: RunLogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// Reports the events of one flow run for a backend: in the run's log, and as events of the API.
public protocol JobReporter: Sendable {
    /// Writes a line to the flow run's log and to the worker's own.
    func log(_ level: RunLogLevel, _ message: String)

    /// Writes a line to the flow run's log at the API only, since the worker's own log already has its text.
    func logAtAPI(_ level: RunLogLevel, _ message: String)

    /// Emits an event about a resource of the infrastructure. The reporter adds the run's related resources, and the
    /// event follows the previous one of the same resource.
    func emit(event: String, resource: JSONValue, payload: JSONValue)

    /// The same for an event that other observers report too. They all use the same `id`, so that the API accepts the
    /// event once. `occurred` is the time that the infrastructure reports; `nil` is now.
    func emit(event: String, resource: JSONValue, payload: JSONValue, id: String, occurred: Timestamp?)

    /// Reports to the API that the infrastructure exists and has yet to begin (`InfrastructurePending`). A run that
    /// already has this state, or a later one, keeps its state. Returns whether the report is complete; if not, it may
    /// be repeated later.
    func reportPending(_ message: String) async -> Bool
}

extension JobReporter {
    /// Logs the line like any other.
    public func logAtAPI(_ level: RunLogLevel, _ message: String) { log(level, message) }

    /// Emits the event without its id and its time.
    public func emit(event: String, resource: JSONValue, payload: JSONValue, id: String, occurred: Timestamp?) {
        emit(event: event, resource: resource, payload: payload)
    }

    /// Returns `true` without a report.
    public func reportPending(_ message: String) async -> Bool { true }
}

/// A reporter that drops everything, for a run that is only shown.
public struct SilentReporter: JobReporter {
    /// A reporter.
    public init() {}

    /// Does nothing.
    public func log(_ level: RunLogLevel, _ message: String) {}

    /// Does nothing.
    public func emit(event: String, resource: JSONValue, payload: JSONValue) {}
}
