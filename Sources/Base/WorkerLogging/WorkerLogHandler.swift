package import Logging

/// The `LogHandler` of the worker: every `Logger` made with it writes to one ``LogOutput``.
///
///     let output = try LogOutput(format: .json)
///     LoggingSystem.bootstrap { WorkerLogHandler(logger: $0, output: output, level: .info) }
package struct WorkerLogHandler: LogHandler {
    private let logger: String
    private let output: LogOutput
    private let currentLevel: @Sendable () -> Logger.Level
    private var ownLevel: Logger.Level?

    package var logLevel: Logger.Level {
        get { ownLevel ?? currentLevel() }
        set { ownLevel = newValue }
    }
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    /// - Parameters:
    ///   - logger: The logger's name in the lines.
    ///   - output: The destination of the lines.
    ///   - level: The lowest level that is logged. It is evaluated for each line, because it may change.
    package init(logger: String, output: LogOutput, level: @autoclosure @escaping @Sendable () -> Logger.Level) {
        self.logger = logger
        self.output = output
        currentLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var context = metadata
        if let provided = metadataProvider?.get() { context.merge(provided) { $1 } }
        if let own = event.metadata { context.merge(own) { $1 } }
        if let error = event.error { context["error"] = "\(error)" }
        output.write(
            LogRecord(level: event.level, logger: logger, message: event.message.description, metadata: context))
    }
}
