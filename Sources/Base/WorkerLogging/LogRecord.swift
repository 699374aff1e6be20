package import Logging
package import PrefectJSON

/// One record of the log: the content of a `Logger` call, with its time.
package struct LogRecord: Sendable {
    /// The time of the call.
    package var time: Timestamp
    /// The severity.
    package var level: Logger.Level
    /// The name of the logger, for example `prefect.workers.process.etl`.
    package var logger: String
    /// The text.
    package var message: String
    /// The context; see ``LogContextKey`` for the members that the formats treat specially.
    package var metadata: Logger.Metadata

    package init(
        time: Timestamp = .now, level: Logger.Level, logger: String, message: String, metadata: Logger.Metadata = [:]
    ) {
        self.time = time
        self.level = level
        self.logger = logger
        self.message = message
        self.metadata = metadata
    }
}

/// The metadata keys that identify the run, the pool and the worker of a line.
///
/// The JSON format has them as members, first after the message. The human format shows only the name of the flow run,
/// in place of the logger's name. It omits the others, because they would repeat on each line.
package enum LogContextKey {
    /// The id of the flow run.
    package static let flowRunID = "flow_run_id"
    /// The name of the flow run.
    package static let flowRunName = "flow_run_name"
    /// The name of the work pool.
    package static let workPool = "work_pool"
    /// The name of the worker.
    package static let worker = "worker"

    static let all = [flowRunID, flowRunName, workPool, worker]
}
