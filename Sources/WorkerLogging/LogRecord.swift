public import Logging

/// One thing to log: what a `Logger` call says, with its time.
public struct LogRecord: Sendable {
    /// When it was said.
    public var time: LogTime
    /// How grave it is.
    public var level: Logger.Level
    /// The name of the logger, for example `prefect.workers.process.etl`.
    public var logger: String
    /// What is said.
    public var message: String
    /// The context; see ``LogContextKey`` for the members that both forms know.
    public var metadata: Logger.Metadata

    public init(
        time: LogTime = .now(), level: Logger.Level, logger: String, message: String, metadata: Logger.Metadata = [:]
    ) {
        self.time = time
        self.level = level
        self.logger = logger
        self.message = message
        self.metadata = metadata
    }
}

/// The metadata keys that say which run, pool and worker a line is about.
///
/// The JSON form has them as members, first after the message. The human form shows only the flow run's name, in
/// place of the logger's, and leaves the others out, which would only repeat themselves on each line.
public enum LogContextKey {
    /// The id of the flow run.
    public static let flowRunID = "flow_run_id"
    /// The name of the flow run.
    public static let flowRunName = "flow_run_name"
    /// The name of the work pool.
    public static let workPool = "work_pool"
    /// The name of the worker.
    public static let worker = "worker"

    static let all = [flowRunID, flowRunName, workPool, worker]
}
