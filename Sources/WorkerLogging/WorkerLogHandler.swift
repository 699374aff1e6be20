public import Logging

/// The `LogHandler` of the worker: every `Logger` made with it writes to one ``LogOutput``.
///
///     let output = try LogOutput(format: .json)
///     LoggingSystem.bootstrap { WorkerLogHandler(logger: $0, output: output, level: .info) }
public struct WorkerLogHandler: LogHandler {
    private let logger: String
    private let output: LogOutput

    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    /// - Parameters:
    ///   - logger: The name that the lines carry.
    ///   - output: Where they go.
    ///   - level: What is less grave than this is not logged.
    public init(logger: String, output: LogOutput, level: Logger.Level) {
        self.logger = logger
        self.output = output
        self.logLevel = level
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var context = metadata
        if let provided = metadataProvider?.get() { context.merge(provided) { $1 } }
        if let own = event.metadata { context.merge(own) { $1 } }
        if let error = event.error { context["error"] = "\(error)" }
        output.write(
            LogRecord(level: event.level, logger: logger, message: event.message.description, metadata: context))
    }
}
