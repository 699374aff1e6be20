internal import Glibc
internal import Logging
internal import Threads

/// The one way to standard error: it renders, redacts, queues and writes log lines.
///
/// Logging never waits for whoever reads the log. Lines go into a queue of bounded size, which a thread of its own empties;
/// lines for which there is no room are counted, and the count is logged when there is room again. A reader that went
/// away (`EPIPE`), a full disk or a descriptor in non-blocking mode cost lines at most, never the process.
/// The thread ends when the output is released.
public final class LogOutput: Sendable {
    private let formatter: LogFormatter
    private let queue: LogQueue

    /// - Parameters:
    ///   - descriptor: Where lines go: standard error unless a test says otherwise. It stays the caller's.
    ///   - format: The form of the lines.
    ///   - capacity: How many bytes may wait to be written: 4 MiB.
    ///   - redact: Takes the secrets out of a text. It is applied to each message, logger name and metadata text before
    ///     these are escaped, on the thread that logs, and must not log itself.
    /// - Throws: ``LogOutputError`` when the thread cannot be started.
    public init(
        descriptor: Int32 = 2, format: LogFormat, capacity: Int = 4 << 20,
        redact: @escaping @Sendable (String) -> String = { $0 }
    ) throws {
        tzset()
        let formatter = LogFormatter(format: format, redact: redact)
        let take: @Sendable ([UInt8]) -> Bool
        let reader: String
        if case .journal(let journal) = format {
            (take, reader) = ({ LogReader.send($0, to: journal) }, "the journal")
        } else {
            (take, reader) = ({ LogReader.write($0, to: descriptor) }, "standard error")
        }
        let queue = LogQueue(capacity: capacity, take: take) { count in
            let lines = count == 1 ? "1 log line was" : "\(count) log lines were"
            return formatter.line(
                LogRecord(
                    level: .warning, logger: "prefect.logging",
                    message: "\(lines) lost because \(reader) did not take them in time."))
        }
        // The thread holds the queue, not the output, whose end is the thread's.
        let status = startThread("log") { queue.drain() }
        guard status == 0 else { throw LogOutputError(cause: String(cString: strerror(status))) }
        self.formatter = formatter
        self.queue = queue
    }

    deinit { queue.close() }

    /// Logs a record, whatever its level.
    public func write(_ record: LogRecord) {
        queue.add(formatter.line(record))
    }

    /// Waits until everything logged so far is written, for the end of the process; it blocks the calling thread.
    ///
    /// - Returns: Whether it was written (or refused by the descriptor) within `limit`.
    @discardableResult
    public func flush(within limit: Duration) -> Bool {
        queue.flush(within: limit)
    }

    /// How many lines were lost since the start, for want of room or because the descriptor refused them.
    public var lostLines: Int { queue.lostLines }
}

/// Logging could not be started.
public struct LogOutputError: Error, CustomStringConvertible {
    /// What the system said.
    public let cause: String

    /// One line for the user.
    public var description: String {
        "Logging cannot start because the system refuses a thread (\(cause)). Raise the limit of processes (ulimit -u)."
    }
}
