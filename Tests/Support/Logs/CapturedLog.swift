public import Logging
internal import Synchronization

/// The log lines of a part of the worker.
public final class CapturedLog: Sendable {
    private let entries = Mutex<[(level: Logger.Level, message: String)]>([])

    /// An empty log.
    public init() {}

    /// The messages of a level, or of all.
    public func messages(_ level: Logger.Level? = nil) -> [String] {
        entries.withLock { $0.filter { level == nil || $0.level == level }.map(\.message) }
    }

    /// Whether a message contains a text.
    public func contains(_ text: String, level: Logger.Level? = nil) -> Bool {
        messages(level).contains { $0.contains(text) }
    }

    fileprivate func append(_ level: Logger.Level, _ message: String) {
        entries.withLock { $0.append((level, message)) }
    }

    /// A logger that writes all levels except `trace` to this log.
    public var logger: Logger {
        var logger = Logger(label: "captured") { _ in Handler(log: self) }
        logger.logLevel = .debug
        return logger
    }

    private struct Handler: LogHandler {
        let log: CapturedLog
        var logLevel = Logger.Level.debug
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { log.append(event.level, event.message.description) }
    }
}
