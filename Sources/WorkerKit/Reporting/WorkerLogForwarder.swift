package import Logging
package import PrefectClient

/// Sends the worker's own log to the API too, where the API keeps such logs: on Cloud, once the worker has an id.
package struct WorkerLogForwarder: LogHandler {
    private let logger: String
    private let logs: LogShipper
    private let workerID: @Sendable () -> String?

    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]

    /// A forwarder for a logger, which calls `workerID` for each line.
    package init(logger: String, level: Logger.Level, logs: LogShipper, workerID: @escaping @Sendable () -> String?) {
        self.logger = logger
        self.logs = logs
        self.workerID = workerID
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        // A line about one flow run belongs in the log of that run.
        guard metadata["flow_run_id"] == nil, let workerID = workerID() else { return }
        logs.add(
            LogRecord(
                logger: logger, level: event.level.prefectNumber, message: event.message.description, flowRunID: nil,
                workerID: workerID))
    }
}

extension Logger.Level {
    fileprivate var prefectNumber: Int {
        switch self {
        case .trace, .debug: 10
        case .info, .notice: 20
        case .warning: 30
        case .error: 40
        case .critical: 50
        }
    }
}
